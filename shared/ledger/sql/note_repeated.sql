-- repeated_updates, audit_log: an update that was accepted again after Redis had lost it; it counts once.
-- :request_id :user_id :source_ip text    :increment :epoch :sequence :first_epoch :first_sequence :accepted_at (ms) bigint

WITH noted AS (
    INSERT INTO repeated_updates (epoch, sequence, request_id, user_id, increment, first_epoch, first_sequence, accepted_at)
    VALUES (
        CAST(:epoch AS bigint), CAST(:sequence AS bigint), :request_id, :user_id, CAST(:increment AS bigint),
        CAST(:first_epoch AS bigint), CAST(:first_sequence AS bigint), to_timestamp(CAST(:accepted_at AS bigint) / 1000.0)
    )
    ON CONFLICT (epoch, sequence) DO NOTHING
    RETURNING *
)
INSERT INTO audit_log (action, actor, user_id, request_id, source_ip, detail)
SELECT 'score_repeated', user_id, user_id, request_id, :source_ip,
    jsonb_build_object(
        'increment', increment, 'epoch', epoch, 'sequence', sequence, 'firstEpoch', first_epoch, 'firstSequence', first_sequence
    )
FROM noted
