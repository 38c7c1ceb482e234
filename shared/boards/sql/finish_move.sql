-- boards: one has come to the shard that it was on its way to. :board_id :shard text
-- No row when it is on its way there no more.

UPDATE boards SET shard = :shard, moving_to = NULL, moved_at = now()
WHERE board_id = :board_id AND moving_to = :shard AND deleted_at IS NULL
RETURNING TRUE
