-- users: the account with this name, however it is capitalised. :username text

SELECT user_id, username, role, hashed_password, api_key, disabled, simulated, display_name
FROM users
WHERE lower(username COLLATE "C") = lower(CAST(:username AS text) COLLATE "C")
