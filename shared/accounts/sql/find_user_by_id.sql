-- users: the account with this id. :user_id text

SELECT user_id, username, role, hashed_password, api_key, disabled, simulated, display_name
FROM users
WHERE user_id = :user_id
