-- score_entries: who was accepted when on which board, newest row first. :before_id bigint  :page int
-- Answers id, `<user id> <board id>`, the instant (ms) and the request id of each row.

SELECT id, user_id || ' ' || board_id, CAST(extract(EPOCH FROM accepted_at) * 1000 AS bigint), request_id
FROM score_entries
WHERE id < CAST(:before_id AS bigint)
ORDER BY id DESC
LIMIT CAST(:page AS int)
