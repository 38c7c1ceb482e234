-- score_totals, unrecorded_updates: what the board should say of those whose total changed in this epoch or later, a page.
-- :epoch bigint and :after text, where the page before ended; :page int
-- Answers a JSON object of points by user id, or null, and the epoch and user id where this page ends.

WITH waiting AS (
    SELECT user_id, sum(increment) AS points
    FROM unrecorded_updates
    WHERE state <> 'discarded'
        AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = unrecorded_updates.request_id)
    GROUP BY user_id
),
page AS (
    SELECT user_id, total, epoch
    FROM score_totals
    WHERE (epoch, user_id) > (CAST(:epoch AS bigint), :after)
    ORDER BY epoch, user_id
    LIMIT CAST(:page AS int)
)
SELECT
    json_object_agg(user_id, total + coalesce(waiting.points, 0)),
    max(epoch),
    (SELECT user_id FROM page ORDER BY epoch DESC, user_id DESC LIMIT 1)
FROM page LEFT JOIN waiting USING (user_id)
