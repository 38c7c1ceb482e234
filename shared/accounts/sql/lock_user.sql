-- users: the account, which until the end of the transaction nobody else changes, goes on with or begins a session of.
-- :user_id text

SELECT user_id, username, role, hashed_password, api_key, disabled, simulated, display_name
FROM users
WHERE user_id = :user_id
FOR NO KEY UPDATE
