-- accepted_keys, score_history: the first result of an idempotency key within its day. :key_id text
-- Versions without accepted_keys recorded a keyed update under the id of its key.

SELECT key_id, request_id, user_id, increment, new_score, rank, accepted_at, coalesce(asked, ''), coalesce(places, '')
FROM accepted_keys
WHERE key_id = :key_id AND accepted_at > now() - INTERVAL '24 hours'
UNION ALL
SELECT request_id, request_id, user_id, increment, new_score, 0, created_at AT TIME ZONE 'UTC', '', ''
FROM score_history
WHERE request_id = :key_id AND created_at AT TIME ZONE 'UTC' > now() - INTERVAL '24 hours'
LIMIT 1
