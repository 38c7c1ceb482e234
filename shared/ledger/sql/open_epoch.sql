-- number_epochs: give out an epoch above all others, and note how far the one before it was counted.
-- :shard text, whose updates are numbered in it; :epoch :sequence bigint, the newest number that its Redis gave, or null
-- Answers the epoch; no row when another process was faster: try again.

WITH closed AS (
    UPDATE number_epochs
    SET last_sequence = CAST(:sequence AS bigint)
    WHERE epoch = CAST(:epoch AS bigint) AND last_sequence IS NULL
)
INSERT INTO number_epochs (epoch, board)
SELECT greatest(coalesce(max(epoch), 0), coalesce(CAST(:epoch AS bigint), 0)) + 1, CAST(:shard AS text) FROM number_epochs
ON CONFLICT (epoch) DO NOTHING
RETURNING epoch
