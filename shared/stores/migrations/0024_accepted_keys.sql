-- accepted_keys: the first result of each idempotency key, from when its update reached the ledger, recorded or refused, for a day.
--   key_id  names a player's key; rank counts from 1; epoch and sequence are the update's number, NULL without one
-- repeated_updates: acceptances of an update that the ledger has under another number, from before Redis lost it. They count once.

CREATE TABLE accepted_keys (
    key_id VARCHAR(36) PRIMARY KEY,
    request_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    increment INT NOT NULL,
    new_score BIGINT NOT NULL,
    rank BIGINT NOT NULL,
    accepted_at TIMESTAMPTZ NOT NULL,
    epoch BIGINT,
    sequence BIGINT
);
CREATE INDEX accepted_keys_accepted_at_idx ON accepted_keys (accepted_at);

CREATE TABLE repeated_updates (
    epoch BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    request_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    increment INT NOT NULL,
    first_epoch BIGINT NOT NULL,
    first_sequence BIGINT NOT NULL,
    accepted_at TIMESTAMPTZ NOT NULL,
    noted_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (epoch, sequence)
);
