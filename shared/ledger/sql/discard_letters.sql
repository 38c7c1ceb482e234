-- unrecorded_updates, audit_log, score_totals, users: messages that an operator takes out of the accepted ones, for good.
-- :ids bigint[]  :why :actor text  :source_ip :http_request_id text or null. Answers their ids.
-- The next reconciliation looks at their players.

WITH discarded AS (
    UPDATE unrecorded_updates SET
        state = 'discarded',
        changed_at = now(),
        history = CASE WHEN jsonb_array_length(history) < 20 THEN history ELSE history - 0 END || jsonb_build_object(
            'at', now(), 'state', 'discarded', 'attempts', attempts, 'reason', CAST(:why AS text), 'by', CAST(:actor AS text)
        )
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state <> 'discarded'
    RETURNING *
),
audited AS (
    INSERT INTO audit_log (action, actor, user_id, request_id, source_ip, detail)
    SELECT
        'dead_letter_discarded', :actor, user_id, coalesce(request_id, :http_request_id), :source_ip,
        jsonb_strip_nulls(jsonb_build_object(
            'id', id, 'reason', CAST(:why AS text), 'increment', increment, 'epoch', epoch, 'sequence', sequence,
            'refusedFor', reason, 'digest', digest
        ))
    FROM discarded
    ORDER BY id
),
noticed AS (
    INSERT INTO score_totals (user_id, total, epoch)
    SELECT DISTINCT user_id, 0, (SELECT last_value FROM reconciliation_epoch)
    FROM discarded JOIN users USING (user_id)
    ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET epoch = excluded.epoch
)
SELECT id FROM discarded ORDER BY id
