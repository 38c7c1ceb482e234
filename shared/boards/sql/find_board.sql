-- boards: the definition of one that is not deleted, the shard that it is in, and the one that it is on its way to, or null. :board_id text

SELECT definition, shard, moving_to FROM boards WHERE board_id = :board_id AND deleted_at IS NULL
