-- refresh_tokens: an unspent token is given again, and with it an access token that lives from now on: if the session ends, it must
-- be known for as long. :token_hash (of the token before it) text

UPDATE refresh_tokens SET issued_at = now()
WHERE token_hash = (SELECT successor_hash FROM refresh_tokens WHERE token_hash = :token_hash)
