-- season_totals: players of a season, a page in the order of user ids.
-- :board_id :period :after text, :season :page int. Answers a JSON array, or null.

SELECT json_agg(user_id)
FROM (
    SELECT user_id FROM season_totals
    WHERE board_id = :board_id AND period = :period AND season = CAST(:season AS int) AND user_id > :after
    ORDER BY user_id
    LIMIT CAST(:page AS int)
) AS page
