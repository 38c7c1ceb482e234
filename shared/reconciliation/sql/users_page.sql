-- users: a page of user ids in their order. :after text, :page int. Answers a JSON array, or null.

SELECT json_agg(user_id) FROM (SELECT user_id FROM users WHERE user_id > :after ORDER BY user_id LIMIT CAST(:page AS int)) AS page
