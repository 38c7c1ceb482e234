-- refresh_tokens: an unused token is given again, and with it an access token that lives from now on: if the session ends, it must
-- be known for as long. :token_hash text
-- Returns the token's hash, or nothing when it has been used or its session has ended.

UPDATE refresh_tokens SET issued_at = now()
WHERE token_hash = :token_hash AND spent_at IS NULL AND expires_at > now()
RETURNING token_hash
