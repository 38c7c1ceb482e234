-- score_history, score_totals: give the ledger back what audit_log says was in it. :user_ids text[]
-- Answers user id and points.

WITH missing AS (
    SELECT DISTINCT ON (request_id)
        id, request_id, user_id, at,
        CAST(detail ->> 'increment' AS int) AS increment,
        CAST(detail ->> 'newScore' AS int) AS new_score,
        CAST(detail ->> 'epoch' AS bigint) AS epoch,
        CAST(detail ->> 'sequence' AS bigint) AS sequence
    FROM audit_log
    WHERE user_id = ANY(CAST(:user_ids AS text[]))
        AND action = 'score_accepted'
        AND detail ->> 'increment' ~ '^[1-5]$' -- a row that says something else is none of record_updates.sql
        AND CASE WHEN detail ->> 'newScore' ~ '^[0-9]{1,10}$' THEN CAST(detail ->> 'newScore' AS bigint) <= 2147483647 END
        AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = audit_log.request_id)
    ORDER BY request_id, id
),
restored AS (
    INSERT INTO score_history (request_id, user_id, increment, new_score, created_at, epoch, sequence)
    SELECT request_id, user_id, increment, new_score, at AT TIME ZONE 'UTC', epoch, sequence FROM missing ORDER BY id
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
