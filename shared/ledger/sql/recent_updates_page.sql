-- score_history: who was accepted when, newest row first. :before_id bigint  :page int
-- Answers id, user id, the instant (ms) and the request id of each row.

SELECT id, user_id, CAST(extract(EPOCH FROM created_at) * 1000 AS bigint), request_id
FROM score_history
WHERE id < CAST(:before_id AS bigint)
ORDER BY id DESC
LIMIT CAST(:page AS int)
