-- boards: a new one; no row when the id has been used. :board_id :definition (JSON) text

INSERT INTO boards (board_id, definition) VALUES (:board_id, CAST(:definition AS jsonb))
ON CONFLICT DO NOTHING
RETURNING TRUE
