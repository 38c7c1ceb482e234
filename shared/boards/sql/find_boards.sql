-- boards: ids and definitions of all of a shard that are not deleted, and stay there. :shard text

SELECT board_id, definition
FROM boards
WHERE deleted_at IS NULL AND shard = :shard AND moving_to IS NULL
ORDER BY board_id COLLATE "C"
