-- accepted_keys: first results of the last day, a page in the order of their keys. :after text  :page int

SELECT key_id, request_id, user_id, increment, new_score, rank, accepted_at, coalesce(asked, ''), coalesce(places, '')
FROM accepted_keys
WHERE key_id > :after AND accepted_at > now() - INTERVAL '24 hours'
ORDER BY key_id
LIMIT CAST(:page AS int)
