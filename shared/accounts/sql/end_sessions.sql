-- refresh_tokens, ended_sessions: a user's sessions end; nobody goes on with one of their refresh tokens.
-- :user_id :only (a session, or '' for all) :kept (a session, or '') text, :alive (interval) text
-- Returns all sessions of the user that have ended, by this statement or earlier, and whose access tokens may still be alive.

WITH gone AS (
    DELETE FROM refresh_tokens
    WHERE user_id = :user_id AND :only IN ('', family_id) AND family_id <> :kept
    RETURNING family_id, issued_at
), ended AS (
    INSERT INTO ended_sessions (session_id, user_id)
    SELECT family_id, :user_id
    FROM (
        SELECT family_id FROM gone WHERE issued_at > now() - CAST(:alive AS interval)
        UNION
        SELECT :only WHERE :only <> ''
    ) AS alive
    ON CONFLICT (session_id) DO UPDATE SET ended_at = excluded.ended_at
    RETURNING session_id, ended_at, user_id
)
SELECT session_id, ended_at, user_id FROM ended
UNION ALL
SELECT session_id, ended_at, user_id
FROM ended_sessions
WHERE user_id = :user_id
    AND ended_at > now() - CAST(:alive AS interval)
    AND session_id NOT IN (SELECT session_id FROM ended)
