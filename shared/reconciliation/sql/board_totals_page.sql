-- users, score_totals, unrecorded_updates: what the board should say, a page in the order of user ids. :after text, :page int
-- Answers a JSON object of points by user id, or null, the user id where the page ends, or null, and how many users it has.

WITH waiting AS (
    SELECT user_id, sum(increment) AS points
    FROM waiting_updates()
    GROUP BY user_id
),
page AS (
    SELECT user_id, role FROM users WHERE user_id > :after ORDER BY user_id LIMIT CAST(:page AS int)
),
-- A subquery, not a join: a join may be merged with the index of score_totals from its beginning, at every page.
totals AS (
    SELECT user_id, role, (SELECT total FROM score_totals WHERE score_totals.user_id = page.user_id) AS total FROM page
)
SELECT
    json_object_agg(user_id, coalesce(total, 0) + coalesce(waiting.points, 0)) FILTER (WHERE role = 'player' OR total IS NOT NULL),
    max(user_id),
    count(*)
FROM totals LEFT JOIN waiting USING (user_id)
