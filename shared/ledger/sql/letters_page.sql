-- unrecorded_updates: a page of the messages in these states, oldest first.
-- :states text[]  :ids bigint[], null for all  :after bigint (an id)  :limit int

SELECT id, state, request_id, user_id, increment, epoch, sequence, reason, attempts, noted_at, changed_at, size, digest
FROM unrecorded_updates
WHERE state = ANY(CAST(:states AS text[]))
    AND id > CAST(:after AS bigint)
    AND (CAST(:ids AS bigint[]) IS NULL OR id = ANY(CAST(:ids AS bigint[])))
ORDER BY id
LIMIT CAST(:limit AS int)
