-- score_totals, unrecorded_updates: what the board should say of those whose total changed in this epoch or later, a page.
-- :epoch bigint and :after text, where the page before ended; :page int. Answers user id, points, epoch.

SELECT
    user_id,
    total + coalesce((
        SELECT sum(increment) FROM unrecorded_updates AS waiting
        WHERE waiting.user_id = score_totals.user_id
            AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = waiting.request_id)
    ), 0),
    epoch
FROM score_totals
WHERE (epoch, user_id) > (CAST(:epoch AS bigint), :after)
ORDER BY epoch, user_id
LIMIT CAST(:page AS int)
