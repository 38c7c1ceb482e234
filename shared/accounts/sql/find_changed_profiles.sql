-- users, hidden_players, audit_log, moderation_entries: profiles of the accounts that were changed, and of players who were hidden or
-- shown, since a cached profile, which lives a minute, may have been read.

SELECT
    user_id, username, role, api_key, disabled, display_name,
    coalesce(
        (
            SELECT string_agg(CASE hidden.board_id WHEN '' THEN '*' ELSE hidden.board_id END, ' ' ORDER BY hidden.board_id)
            FROM hidden_players AS hidden
            WHERE hidden.user_id = users.user_id
        ),
        ''
    )
FROM users
WHERE user_id IN (
    SELECT user_id
    FROM (
        (SELECT user_id, at FROM audit_log WHERE action = 'user_changed' ORDER BY id DESC LIMIT 1000)
        UNION ALL
        (SELECT user_id, at FROM audit_log WHERE action = 'api_key_rotated' ORDER BY id DESC LIMIT 1000)
        UNION ALL
        (SELECT user_id, moderated_at FROM moderation_entries ORDER BY id DESC LIMIT 20000)
    ) AS newest
    WHERE at > now() - interval '2 minutes'
)
ORDER BY user_id
