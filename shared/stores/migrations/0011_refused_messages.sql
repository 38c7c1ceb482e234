-- unrecorded_updates: every message of score_history_queue that the ledger did not take, whole, until it is recorded.
-- RabbitMQ has a copy of it in a retry queue or among the dead letters; a message whose copy is lost is published again from here.
--
-- letter_key: what makes a message one and the same: the request id of an update, the digest of what cannot be opened.
-- request_id, user_id, increment, epoch, sequence: NULL where the message cannot be opened; the last two also where it has no number.
-- accepted_at: when the update was accepted; NULL where the message cannot be opened, and in rows of versions that did not note it.
-- body: the message as it was received, at most its first 64 KiB. NULL in rows of versions that did not keep it.
-- size, digest: bytes and SHA-256 (hex) of the whole body.
-- headers: what goes along when the message is published again: the trace it is a part of.
-- state: waiting (for another try), parked (a dead letter), redriven (published again, the outcome is not known yet), discarded.
-- changed_at: when it last came into its state.
-- history: the newest steps, oldest first: [{"at", "state", "attempts", "reason", "by"?}].

ALTER TABLE unrecorded_updates
    ADD COLUMN IF NOT EXISTS epoch BIGINT,
    ADD COLUMN IF NOT EXISTS sequence BIGINT;

-- request_id stays unique: a consumer of the version before finds conflicts by it.
ALTER TABLE unrecorded_updates DROP CONSTRAINT unrecorded_updates_pkey;
ALTER TABLE unrecorded_updates ADD CONSTRAINT unrecorded_updates_request_id_key UNIQUE (request_id);

-- The defaults are for rows of the version before: they have a copy in some queue, or not even that. As if refused three times.
ALTER TABLE unrecorded_updates
    ALTER COLUMN request_id DROP NOT NULL,
    ALTER COLUMN user_id DROP NOT NULL,
    ALTER COLUMN increment DROP NOT NULL,
    ADD COLUMN id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ADD COLUMN accepted_at TIMESTAMPTZ,
    ADD COLUMN body BYTEA,
    ADD COLUMN size INT NOT NULL DEFAULT 0,
    ADD COLUMN digest TEXT,
    ADD COLUMN letter_key TEXT GENERATED ALWAYS AS (coalesce(request_id, digest)) STORED UNIQUE NOT NULL,
    ADD COLUMN headers JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN attempts INT NOT NULL DEFAULT 3,
    ADD COLUMN state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'parked', 'redriven', 'discarded')),
    ADD COLUMN changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    ADD COLUMN history JSONB NOT NULL DEFAULT '[]';

UPDATE unrecorded_updates SET changed_at = noted_at;

CREATE INDEX unrecorded_updates_digest_idx ON unrecorded_updates (digest);
CREATE INDEX unrecorded_updates_state_id_idx ON unrecorded_updates (state, id);
