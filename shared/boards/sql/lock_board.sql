-- boards: the definition of one, and whether it is deleted. Until the transaction ends nobody changes it or records an entry of it.
-- :board_id text

SELECT definition, deleted_at IS NOT NULL FROM boards WHERE board_id = :board_id FOR UPDATE
