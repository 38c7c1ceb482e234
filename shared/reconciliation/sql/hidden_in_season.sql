-- hidden_players, users, season_totals: who has entries in a season and is hidden on its board, a page in the order of user ids.
-- :board_id :period :after text, :season :page int. Answers a JSON array, or null.

SELECT json_agg(user_id)
FROM (
    SELECT DISTINCT hidden.user_id
    FROM hidden_on(CAST(:board_id AS text)) AS hidden
    WHERE hidden.user_id > :after
        AND EXISTS (
            SELECT FROM season_totals AS total
            WHERE total.board_id = :board_id AND total.period = :period AND total.season = CAST(:season AS int)
                AND total.user_id = hidden.user_id
        )
    ORDER BY hidden.user_id
    LIMIT CAST(:page AS int)
) AS page
