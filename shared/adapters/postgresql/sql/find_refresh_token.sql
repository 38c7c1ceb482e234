-- refresh_tokens: one token. :token_hash text

SELECT user_id, family_id, expires_at, spent_at IS NOT NULL
FROM refresh_tokens
WHERE token_hash = :token_hash
