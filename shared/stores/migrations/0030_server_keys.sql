-- server_keys: credentials of games' own servers, which write to boards that say so. A revoked one stays, so that the audit log's names
-- can be looked up.
--   key_hash  SHA-256 (hex) of the whole key, which is shown once
--   boards    an array of the ids of the boards it is good for; NULL for all

CREATE TABLE server_keys (
    key_id VARCHAR(16) PRIMARY KEY,
    name VARCHAR(50) NOT NULL,
    key_hash VARCHAR(64) NOT NULL,
    boards JSONB,
    created_by VARCHAR(36) NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    rotated_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);
