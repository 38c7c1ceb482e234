-- refresh_tokens: one token is spent. :token_hash text, :spent_at timestamptz

UPDATE refresh_tokens SET spent_at = :spent_at WHERE token_hash = :token_hash
