-- unrecorded_updates: ids of messages that are neither on their way back nor discarded, oldest first. :limit int
-- :ids bigint[] and :request_ids text[] name them; both empty for all. Answers ids.
-- One that was redriven and whose outcome is still not known after :patience seconds (double precision) may go once more.
-- An instant that is far ahead is from before the clock was set back.

SELECT id
FROM unrecorded_updates
WHERE (
        state IN ('waiting', 'parked')
        OR (
            state = 'redriven'
            AND changed_at NOT BETWEEN now() - make_interval(secs => CAST(:patience AS double precision))
            AND now() + INTERVAL '5 minutes'
        )
    )
    AND (
        (cardinality(CAST(:ids AS bigint[])) = 0 AND cardinality(CAST(:request_ids AS text[])) = 0)
        OR id = ANY(CAST(:ids AS bigint[]))
        OR request_id = ANY(CAST(:request_ids AS text[]))
    )
ORDER BY id
LIMIT CAST(:limit AS int)
