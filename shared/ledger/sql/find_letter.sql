-- unrecorded_updates: one message, whole. :id bigint or :request_id text, the other one null

SELECT
    id, state, request_id, user_id, increment, epoch, sequence, reason, attempts, noted_at, changed_at, size, digest,
    headers, body, history
FROM unrecorded_updates
WHERE id = CAST(:id AS bigint) OR request_id = CAST(:request_id AS text)
