-- boards, board_seasons: a deleted board without entries is made again, and begins with its first seasons.
-- :board_id :definition (JSON) :shard text

WITH gone AS (
    DELETE FROM board_seasons WHERE board_id = :board_id
)
UPDATE boards
SET definition = CAST(:definition AS jsonb), shard = :shard, moving_to = NULL, created_at = now(), changed_at = now(), deleted_at = NULL
WHERE board_id = :board_id
