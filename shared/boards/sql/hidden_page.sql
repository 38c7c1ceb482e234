-- hidden_players, users: ids of all who are hidden on a board, a page in their order. :board_id :after text, :page int
-- Answers a JSON array, or null, and the id where the page ends, or null when there are none.

SELECT json_agg(user_id), max(user_id)
FROM (
    SELECT DISTINCT user_id
    FROM hidden_on(CAST(:board_id AS text))
    WHERE user_id > :after
    ORDER BY user_id
    LIMIT CAST(:page AS int)
) AS page
