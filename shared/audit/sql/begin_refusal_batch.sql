-- refusal_batches: this one is being recorded; those of which nobody will ask again go. :batch_id text
-- Answers nothing when it is recorded already.

WITH forgotten AS (
    DELETE FROM refusal_batches WHERE recorded_at < now() - INTERVAL '7 days'
)
INSERT INTO refusal_batches (batch_id) VALUES (:batch_id)
ON CONFLICT (batch_id) DO NOTHING
RETURNING batch_id
