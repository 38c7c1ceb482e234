-- boards: ids and definitions of all that are not deleted.

SELECT board_id, definition FROM boards WHERE deleted_at IS NULL ORDER BY board_id COLLATE "C"
