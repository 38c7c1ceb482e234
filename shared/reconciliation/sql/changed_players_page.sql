-- score_totals: players whose total changed in this epoch of reconciliation or later, a page.
-- :epoch bigint and :after text, where the page before ended; :page int
-- Answers user ids as a JSON array, or null, and the epoch and user id where this page ends.

WITH page AS (
    SELECT user_id, epoch
    FROM score_totals
    WHERE (epoch, user_id) > (CAST(:epoch AS bigint), :after)
    ORDER BY epoch, user_id
    LIMIT CAST(:page AS int)
)
SELECT
    json_agg(user_id),
    max(epoch),
    (SELECT user_id FROM page ORDER BY epoch DESC, user_id DESC LIMIT 1)
FROM page
