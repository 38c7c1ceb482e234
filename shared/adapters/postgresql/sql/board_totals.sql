-- users, score_totals, unrecorded_updates: what the board should say of these users; those who do not belong there are left out.
-- :user_ids text (a JSON array). Answers a JSON object of points by user id, or null.

WITH waiting AS (
    SELECT user_id, sum(increment) AS points
    FROM unrecorded_updates
    WHERE state <> 'discarded'
        AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = unrecorded_updates.request_id)
    GROUP BY user_id
),
totals AS (
    SELECT
        user_id,
        (SELECT role FROM users WHERE users.user_id = wanted.user_id) AS role,
        (SELECT total FROM score_totals WHERE score_totals.user_id = wanted.user_id) AS total
    FROM jsonb_array_elements_text(CAST(:user_ids AS jsonb)) AS wanted (user_id)
)
SELECT json_object_agg(user_id, coalesce(total, 0) + coalesce(waiting.points, 0))
FROM totals LEFT JOIN waiting USING (user_id)
WHERE role = 'player' OR total IS NOT NULL
