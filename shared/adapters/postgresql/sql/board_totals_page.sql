-- users, score_totals, unrecorded_updates: what the board should say, a page in the order of user ids. :after text, :page int

SELECT
    users.user_id,
    coalesce(total, 0) + coalesce((
        SELECT sum(increment) FROM unrecorded_updates AS waiting
        WHERE waiting.user_id = users.user_id
            AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = waiting.request_id)
    ), 0)
FROM users LEFT JOIN score_totals USING (user_id)
WHERE users.user_id > :after AND (role = 'player' OR total IS NOT NULL)
ORDER BY users.user_id
LIMIT CAST(:page AS int)
