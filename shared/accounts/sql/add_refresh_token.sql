-- refresh_tokens: a new token; the user's expired ones go. :token_hash :family_id :user_id text, :expires_at timestamptz

WITH expired AS (
    DELETE FROM refresh_tokens WHERE user_id = :user_id AND expires_at < now()
)
INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)
VALUES (:token_hash, :family_id, :user_id, :expires_at)
