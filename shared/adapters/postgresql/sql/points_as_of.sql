-- users, score_totals, score_history, unrecorded_updates: what the board should have said of these users at an instant.
-- :user_ids text (a JSON array), :instant bigint (ms); only the newest 1,000 updates of each are looked at for later ones.
-- Answers a JSON object by user id, or null: points now, how many of them came later, whether any came in the very millisecond.

WITH waiting AS (
    SELECT user_id, sum(increment) AS points
    FROM unrecorded_updates
    WHERE state <> 'discarded'
        AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = unrecorded_updates.request_id)
    GROUP BY user_id
)
SELECT json_object_agg(
    user_id,
    json_build_array(coalesce(total, 0) + coalesce(waiting.points, 0), coalesce(since.later, 0), coalesce(since.unclear, FALSE))
)
FROM jsonb_array_elements_text(CAST(:user_ids AS jsonb)) AS wanted (user_id)
JOIN users USING (user_id)
LEFT JOIN score_totals USING (user_id)
LEFT JOIN waiting USING (user_id)
CROSS JOIN to_timestamp(CAST(:instant AS bigint) / 1000.0) AS at (instant)
CROSS JOIN LATERAL (
    SELECT
        sum(increment) FILTER (WHERE created_at > at.instant AT TIME ZONE 'UTC') AS later,
        bool_or(created_at = at.instant AT TIME ZONE 'UTC') AS unclear
    FROM (
        SELECT increment, created_at
        FROM score_history
        WHERE score_history.user_id = users.user_id
        ORDER BY id DESC
        LIMIT 1000
    ) AS newest
) AS since
WHERE role = 'player' OR total IS NOT NULL
