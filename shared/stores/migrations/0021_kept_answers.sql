-- kept_answers: the first answer to a request that was sent with an Idempotency-Key, for whoever sends the same request again.
--   key_hash  SHA-256 of the key and of what it belongs to: an account or, where there is none yet, the request
--   answer    sealed under a key derived from the server's keys and from the client's, which is not here, and bound to the whole
--             request; NULL while a request that one transaction cannot hold is being carried out

CREATE TABLE kept_answers (
    key_hash VARCHAR(64) PRIMARY KEY,
    answer TEXT,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX kept_answers_expires_at_idx ON kept_answers (expires_at);
