-- users, score_totals, unrecorded_updates: what the board should say of these users; those who do not belong there are left out.
-- :user_ids text[]

SELECT
    users.user_id,
    coalesce(total, 0) + coalesce((
        SELECT sum(increment) FROM unrecorded_updates AS waiting
        WHERE waiting.user_id = users.user_id
            AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = waiting.request_id)
    ), 0)
FROM users LEFT JOIN score_totals USING (user_id)
WHERE users.user_id = ANY(CAST(:user_ids AS text[])) AND (role = 'player' OR total IS NOT NULL)
