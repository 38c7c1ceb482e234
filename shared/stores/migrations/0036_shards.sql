-- Boards lie in shards: what is beside `main` may be in another Redis, or under another prefix of its keys.
-- boards:
--   shard      the shard that the board is in, by its name; `main` is the first one, in which everything is that is not a board's
--   moving_to  the shard that it is on its way to: until it is there nobody enters; NULL while it stays
--   moved_at   when it came to another shard the last time
-- number_epochs.board: the shard whose updates are numbered in the epoch.

ALTER TABLE boards
    ADD COLUMN shard VARCHAR(20) NOT NULL DEFAULT 'main',
    ADD COLUMN moving_to VARCHAR(20),
    ADD COLUMN moved_at TIMESTAMPTZ;
CREATE INDEX boards_shard_idx ON boards (shard) WHERE shard <> 'main';
