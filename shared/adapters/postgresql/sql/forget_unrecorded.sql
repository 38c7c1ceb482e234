-- unrecorded_updates, score_history: of these request ids those that the ledger has by now, and messages that could not be opened
-- and now were. What was discarded stays. :request_ids :digests text[]

DELETE FROM unrecorded_updates
WHERE state <> 'discarded'
    AND (
        (
            request_id = ANY(CAST(:request_ids AS text[]))
            AND EXISTS (SELECT FROM score_history WHERE score_history.request_id = unrecorded_updates.request_id)
        )
        OR (request_id IS NULL AND letter_key = ANY(CAST(:digests AS text[])))
    )
