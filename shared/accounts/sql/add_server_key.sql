-- server_keys: a new one. :key_id :name :key_hash (SHA-256 in hex) :created_by text, :boards :scopes (JSON arrays) or null

INSERT INTO server_keys (key_id, name, key_hash, boards, scopes, created_by)
VALUES (:key_id, :name, :key_hash, CAST(:boards AS jsonb), CAST(:scopes AS jsonb), :created_by)
