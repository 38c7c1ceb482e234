-- unrecorded_updates, score_totals: messages that should have come back long ago: their copies are lost. :limit int
-- :delays double precision[], seconds that a message waits after each attempt; :patience, seconds that it may take after that
-- Answers them whole, and what their players' points are without them. The next look at them is as much later.
-- An instant that is far ahead is from before the clock was set back.

UPDATE unrecorded_updates SET changed_at = now()
WHERE id IN (
    SELECT id
    FROM unrecorded_updates
    WHERE state IN ('waiting', 'redriven')
        AND changed_at NOT BETWEEN now() - make_interval(
            secs => CAST(:patience AS double precision)
            + CASE state WHEN 'waiting' THEN coalesce((CAST(:delays AS double precision[]))[attempts], 0) ELSE 0 END
        ) AND now() + INTERVAL '5 minutes'
        AND (body IS NULL OR octet_length(body) = size)
    ORDER BY id
    LIMIT CAST(:limit AS int)
    FOR UPDATE SKIP LOCKED
)
RETURNING
    id, state, request_id, user_id, increment, epoch, sequence, reason, attempts, noted_at, changed_at, size, digest,
    headers, body, history,
    coalesce((SELECT total FROM score_totals WHERE score_totals.user_id = unrecorded_updates.user_id), 0)
