-- boards: the definition of one that is not deleted. :board_id text

SELECT definition FROM boards WHERE board_id = :board_id AND deleted_at IS NULL
