-- boards: a new one; no row when the id has been used. :board_id :definition (JSON) :shard text

INSERT INTO boards (board_id, definition, shard) VALUES (:board_id, CAST(:definition AS jsonb), :shard)
ON CONFLICT DO NOTHING
RETURNING TRUE
