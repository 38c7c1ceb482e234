-- users: what the update path needs to know of these users. :user_ids text[]

SELECT user_id, username, role, api_key, disabled
FROM users
WHERE user_id = ANY(CAST(:user_ids AS text[]))
