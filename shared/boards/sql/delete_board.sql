-- boards: one is deleted; its row and its entries stay. :board_id text

UPDATE boards SET deleted_at = now() WHERE board_id = :board_id
