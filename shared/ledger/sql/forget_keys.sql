-- accepted_keys: idempotency keys whose day is over, at most so many. :limit int. Answers how many.

WITH past AS (
    DELETE FROM accepted_keys
    WHERE key_id IN (
        SELECT key_id FROM accepted_keys WHERE accepted_at < now() - INTERVAL '25 hours' LIMIT CAST(:limit AS int)
    )
    RETURNING 1
)
SELECT count(*) FROM past
