-- users, refresh_tokens: until the end of the transaction nobody else goes on with a session of whoever has this token, nor ends
-- one, nor changes the account. :token_hash text

SELECT user_id FROM users
WHERE user_id = (SELECT user_id FROM refresh_tokens WHERE token_hash = :token_hash)
FOR NO KEY UPDATE
