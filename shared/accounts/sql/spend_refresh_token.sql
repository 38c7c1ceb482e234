-- refresh_tokens: one token is spent, and what it followed upon gives it to nobody any more.
-- :token_hash :family_id :successor_hash :sealed_successor :key_hash ('' without a key) text

WITH followed AS (
    UPDATE refresh_tokens SET sealed_successor = NULL
    WHERE family_id = :family_id AND successor_hash = :token_hash
)
UPDATE refresh_tokens
SET spent_at = now(),
    successor_hash = :successor_hash,
    sealed_successor = :sealed_successor,
    renewal_key_hash = nullif(:key_hash, '')
WHERE token_hash = :token_hash
