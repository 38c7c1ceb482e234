-- hidden_players, users: ids of all who are hidden on some board, a page in their order. :after text, :page int
-- Answers a JSON array, or null, and the id where the page ends, or null when there are none.

SELECT json_agg(user_id), max(user_id)
FROM (
    SELECT user_id FROM users WHERE disabled AND user_id > :after
    UNION
    SELECT user_id FROM hidden_players WHERE user_id > :after
    ORDER BY user_id
    LIMIT CAST(:page AS int)
) AS page
