-- unrecorded_updates, repeated_updates: who was accepted when and does not stand in score_history for it. :since bigint (ms)
-- Answers user id, the instant (ms) and the request id of each.

SELECT user_id, CAST(extract(EPOCH FROM accepted_at) * 1000 AS bigint), coalesce(request_id, letter_key)
FROM unrecorded_updates
WHERE accepted_at >= to_timestamp(CAST(:since AS bigint) / 1000.0)
UNION ALL
SELECT user_id, CAST(extract(EPOCH FROM accepted_at) * 1000 AS bigint), request_id
FROM repeated_updates
WHERE first_epoch > 0 AND accepted_at >= to_timestamp(CAST(:since AS bigint) / 1000.0)
