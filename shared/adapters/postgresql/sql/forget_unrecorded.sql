-- unrecorded_updates, score_history: those of these request ids that the ledger has by now wait no longer. :request_ids text[]

DELETE FROM unrecorded_updates
WHERE request_id = ANY(CAST(:request_ids AS text[]))
    AND EXISTS (SELECT FROM score_history WHERE score_history.request_id = unrecorded_updates.request_id)
