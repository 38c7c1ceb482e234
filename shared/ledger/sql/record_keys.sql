-- accepted_keys: idempotency keys of a batch of accepted updates, each key at most once in the batch; one older than a day is replaced.
-- :key_ids :request_ids :user_ids text[]  :increments :new_scores :ranks :accepted_ats (ms) :epochs :sequences bigint[]
-- :asked :places text[], '' on `main`
-- Answers for each key that another update has within a day, before or after: the request id in the batch, and the other update's
-- epoch and sequence.

WITH batch AS (
    SELECT
        key_id, request_id, user_id, increment, new_score, rank, to_timestamp(at / 1000.0) AS accepted_at, epoch, sequence, asked, places
    FROM unnest(
        CAST(:key_ids AS text[]), CAST(:request_ids AS text[]), CAST(:user_ids AS text[]), CAST(:increments AS bigint[]),
        CAST(:new_scores AS bigint[]), CAST(:ranks AS bigint[]), CAST(:accepted_ats AS bigint[]), CAST(:epochs AS bigint[]),
        CAST(:sequences AS bigint[]), CAST(:asked AS text[]), CAST(:places AS text[])
    ) AS t (key_id, request_id, user_id, increment, new_score, rank, at, epoch, sequence, asked, places)
),
written AS (
    INSERT INTO accepted_keys (
        key_id, request_id, user_id, increment, new_score, rank, accepted_at, epoch, sequence, asked, places
    )
    SELECT
        key_id, request_id, user_id, increment, new_score, rank, accepted_at, nullif(epoch, 0), nullif(sequence, 0),
        nullif(asked, ''), nullif(places, '')
    FROM batch
    ORDER BY key_id
    ON CONFLICT (key_id) DO UPDATE
    SET request_id = excluded.request_id, user_id = excluded.user_id, increment = excluded.increment,
        new_score = excluded.new_score, rank = excluded.rank, accepted_at = excluded.accepted_at,
        epoch = excluded.epoch, sequence = excluded.sequence, asked = excluded.asked, places = excluded.places
    WHERE accepted_keys.accepted_at <= excluded.accepted_at - INTERVAL '24 hours'
)
SELECT batch.request_id, accepted_keys.epoch, accepted_keys.sequence
FROM batch JOIN accepted_keys USING (key_id)
WHERE accepted_keys.request_id <> batch.request_id
    AND accepted_keys.accepted_at > batch.accepted_at - INTERVAL '24 hours'
    AND accepted_keys.accepted_at < batch.accepted_at + INTERVAL '24 hours'
