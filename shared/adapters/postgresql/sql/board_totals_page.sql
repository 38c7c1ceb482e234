-- users, score_totals, unrecorded_updates: what the board should say, a page in the order of user ids. :after text, :page int
-- Answers a JSON object of points by user id, or null.

WITH waiting AS (
    SELECT user_id, sum(increment) AS points
    FROM unrecorded_updates
    WHERE NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = unrecorded_updates.request_id)
    GROUP BY user_id
),
page AS (
    SELECT user_id, total
    FROM users LEFT JOIN score_totals USING (user_id)
    WHERE user_id > :after AND (role = 'player' OR total IS NOT NULL)
    ORDER BY user_id
    LIMIT CAST(:page AS int)
)
SELECT json_object_agg(user_id, coalesce(total, 0) + coalesce(waiting.points, 0))
FROM page LEFT JOIN waiting USING (user_id)
