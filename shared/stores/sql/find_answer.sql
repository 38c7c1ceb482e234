-- kept_answers: what is kept under a key. :key_hash text

SELECT answer, extract(epoch FROM expires_at - now())
FROM kept_answers
WHERE key_hash = :key_hash AND expires_at > now()
