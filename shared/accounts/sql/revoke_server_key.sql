-- server_keys: refuse it from now on; once more does no harm. :key_id text. Answers its hash, boards and scopes.

UPDATE server_keys SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = :key_id RETURNING key_hash, boards, scopes
