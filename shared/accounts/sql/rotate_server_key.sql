-- server_keys: another secret, unless it is revoked. :key_id :key_hash (SHA-256 in hex) text. Answers its hash, boards and scopes.

UPDATE server_keys SET key_hash = :key_hash, rotated_at = now()
WHERE key_id = :key_id AND revoked_at IS NULL
RETURNING key_hash, boards, scopes
