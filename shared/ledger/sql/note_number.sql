-- repeated_updates: the number of an update that stands in score_history without one, for a version before numbers has recorded it.
-- Noted as a repetition of an update with the number 0:0, which no update has.
-- :request_id :user_id text    :increment :epoch :sequence :accepted_at (ms) bigint

INSERT INTO repeated_updates (epoch, sequence, request_id, user_id, increment, first_epoch, first_sequence, accepted_at)
VALUES (
    CAST(:epoch AS bigint), CAST(:sequence AS bigint), :request_id, :user_id, CAST(:increment AS bigint),
    0, 0, to_timestamp(CAST(:accepted_at AS bigint) / 1000.0)
)
ON CONFLICT (epoch, sequence) DO NOTHING
