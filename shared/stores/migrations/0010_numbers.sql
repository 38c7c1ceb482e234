-- Numbers of accepted updates: (epoch, sequence), counted by Redis in the step that accepts the update. NULL in rows of versions that
-- did not count. Two updates never have the same.
-- number_epochs: epochs that were given out. Redis counts from 1 in each; a new one begins whenever Redis may have gone back.
--   last_sequence  how far Redis had counted when the next epoch began; NULL while updates are numbered in it, and when Redis lost it
--   lost           how many updates Redis had numbered above that and lost before anything else had them; NULL until it is known
--   settled        every update of the epoch up to this number is in score_history or unrecorded_updates

ALTER TABLE score_history ADD COLUMN epoch BIGINT, ADD COLUMN sequence BIGINT;
CREATE UNIQUE INDEX score_history_epoch_sequence_key ON score_history (epoch, sequence) WHERE epoch IS NOT NULL;

ALTER TABLE unrecorded_updates ADD COLUMN IF NOT EXISTS epoch BIGINT, ADD COLUMN IF NOT EXISTS sequence BIGINT;
CREATE INDEX unrecorded_updates_epoch_sequence_idx ON unrecorded_updates (epoch, sequence) WHERE epoch IS NOT NULL;

CREATE TABLE number_epochs (
    epoch BIGINT PRIMARY KEY,
    board TEXT NOT NULL DEFAULT 'main',
    opened_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    last_sequence BIGINT,
    lost BIGINT,
    settled BIGINT NOT NULL DEFAULT 0
);
