-- kept_history, score_entries, unrecorded_updates: numbers of the updates with these request ids, of those that have one. :request_ids text[]
-- Answers request id, epoch and sequence.

SELECT request_id, epoch, sequence
FROM kept_history
WHERE request_id = ANY(CAST(:request_ids AS text[])) AND epoch IS NOT NULL
UNION
SELECT request_id, epoch, sequence
FROM score_entries
WHERE request_id = ANY(CAST(:request_ids AS text[]))
UNION
SELECT request_id, epoch, sequence
FROM unrecorded_updates
WHERE request_id = ANY(CAST(:request_ids AS text[])) AND epoch IS NOT NULL
