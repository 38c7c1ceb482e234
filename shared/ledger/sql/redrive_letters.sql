-- unrecorded_updates, score_totals: messages on their way back to the ledger. :ids bigint[]  :actor text
-- Not those of which only the beginning was kept. Answers them whole, and what their players' points are without them.

UPDATE unrecorded_updates SET
    state = 'redriven',
    changed_at = now(),
    history = CASE WHEN jsonb_array_length(history) < 20 THEN history ELSE history - 0 END
        || jsonb_build_object('at', now(), 'state', 'redriven', 'attempts', attempts, 'reason', '', 'by', CAST(:actor AS text))
WHERE id = ANY(CAST(:ids AS bigint[])) AND state <> 'discarded' AND (body IS NULL OR octet_length(body) = size)
RETURNING
    id, state, request_id, user_id, increment, epoch, sequence, reason, attempts, noted_at, changed_at, size, digest,
    headers, body, history,
    coalesce((SELECT total FROM score_totals WHERE score_totals.user_id = unrecorded_updates.user_id), 0)
