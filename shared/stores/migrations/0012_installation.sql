-- installation: whose the stores are, in one row. Redis and RabbitMQ carry the same id.
-- installation_keys: which keys sealed what is in the stores. The keys themselves are never here.
--   purpose      payload or signing
--   fingerprint  tells two keys of the same id from each other
--   retired_at   when a start put another key in its place; null while it is in use

CREATE TABLE installation (
    is_only BOOLEAN PRIMARY KEY DEFAULT true CHECK (is_only),
    installation_id VARCHAR(64) NOT NULL,
    began_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE installation_keys (
    purpose VARCHAR(10) NOT NULL,
    key_id VARCHAR(64) NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    first_used_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    retired_at TIMESTAMPTZ,
    PRIMARY KEY (purpose, key_id)
);
