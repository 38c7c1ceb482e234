-- boards: another definition. :board_id :definition (JSON) text

UPDATE boards SET definition = CAST(:definition AS jsonb), changed_at = now() WHERE board_id = :board_id
