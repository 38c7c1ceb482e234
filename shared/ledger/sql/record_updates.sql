-- score_history, score_totals, audit_log: a batch of accepted updates; request ids that are there already are ignored, and those
-- that an operator discarded (unrecorded_updates).
-- :request_ids :user_ids text[]  :increments :new_scores int[]  :accepted_ats bigint[] (ms)  :source_ips text[]
-- :epochs :sequences bigint[], 0 without a number
-- Answers how many rows were new, the request ids of unknown users, which are not written to the ledger, and those that it has already.

WITH batch AS (
    SELECT DISTINCT ON (request_id) *
    FROM unnest(
        CAST(:request_ids AS text[]), CAST(:user_ids AS text[]), CAST(:increments AS int[]), CAST(:new_scores AS int[]),
        CAST(:accepted_ats AS bigint[]), CAST(:source_ips AS text[]), CAST(:epochs AS bigint[]), CAST(:sequences AS bigint[])
    ) AS t (request_id, user_id, increment, new_score, accepted_at, source_ip, epoch, sequence)
    WHERE NOT EXISTS (
        SELECT FROM unrecorded_updates AS discarded
        WHERE state = 'discarded' AND discarded.request_id = t.request_id AND discarded.epoch IS NULL
    )
    AND NOT EXISTS (
        SELECT FROM unrecorded_updates AS discarded
        WHERE state = 'discarded' AND discarded.epoch = t.epoch AND discarded.sequence = t.sequence
    )
),
known AS (
    SELECT batch.* FROM batch JOIN users USING (user_id)
),
recorded AS (
    INSERT INTO score_history (request_id, user_id, increment, new_score, created_at, epoch, sequence)
    SELECT
        request_id, user_id, increment, new_score, to_timestamp(accepted_at / 1000.0) AT TIME ZONE 'UTC',
        nullif(epoch, 0), nullif(sequence, 0)
    FROM known
    ORDER BY epoch, sequence, accepted_at, new_score
    ON CONFLICT (request_id) DO NOTHING
    RETURNING request_id, user_id, increment
),
totals AS (
    INSERT INTO score_totals (user_id, total, epoch)
    SELECT user_id, sum(increment), (SELECT last_value FROM reconciliation_epoch)
    FROM recorded
    GROUP BY user_id
    ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE
    SET total = score_totals.total + excluded.total, epoch = excluded.epoch, updated_at = now()
),
audited AS (
    INSERT INTO audit_log (action, actor, user_id, request_id, source_ip, detail)
    SELECT 'score_accepted', known.user_id, known.user_id, known.request_id, known.source_ip,
        CASE WHEN known.epoch = 0 THEN jsonb_build_object('increment', known.increment, 'newScore', known.new_score)
        ELSE jsonb_build_object(
            'increment', known.increment, 'newScore', known.new_score, 'epoch', known.epoch, 'sequence', known.sequence
        ) END
    FROM known JOIN recorded USING (request_id)
    ORDER BY known.epoch, known.sequence, known.accepted_at, known.new_score
)
SELECT
    (SELECT count(*) FROM recorded),
    coalesce(
        (SELECT array_agg(request_id) FROM batch WHERE user_id NOT IN (SELECT user_id FROM known)), '{}'
    ),
    coalesce((SELECT array_agg(request_id) FROM known WHERE request_id NOT IN (SELECT request_id FROM recorded)), '{}')
