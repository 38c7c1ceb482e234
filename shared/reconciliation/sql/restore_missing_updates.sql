-- audit_log, score_history, score_totals: give the ledger back what audit_log says was in it.
-- :user_ids :increments text[], by how much an update may change a score
-- Answers user id and points.

WITH restored AS (
    INSERT INTO score_history (request_id, user_id, increment, new_score, created_at, epoch, sequence)
    SELECT
        request_id, user_id, increment, new_score, at AT TIME ZONE 'UTC',
        CAST(detail ->> 'epoch' AS bigint), CAST(detail ->> 'sequence' AS bigint)
    FROM missing_updates(CAST(:user_ids AS text[]), CAST(:increments AS text[]))
    ORDER BY id
    ON CONFLICT (request_id) DO NOTHING
    RETURNING user_id, increment
),
points AS (
    SELECT user_id, sum(increment) AS total FROM restored GROUP BY user_id
),
totals AS (
    INSERT INTO score_totals (user_id, total, epoch)
    SELECT user_id, total, (SELECT last_value FROM reconciliation_epoch) FROM points ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE
    SET total = score_totals.total + excluded.total, epoch = excluded.epoch, updated_at = now()
)
SELECT user_id, total FROM points
