-- boards: one is on its way to a shard, and nobody enters until it is there. :board_id :shard text
-- Answers the shard that it is in, and its definition; no row when there is no such board.

UPDATE boards SET moving_to = :shard
WHERE board_id = :board_id AND deleted_at IS NULL
RETURNING shard, definition
