-- kept_answers: the answer of a request that was being carried out. :key_hash :answer :kept (interval) text

UPDATE kept_answers SET answer = :answer, expires_at = now() + CAST(:kept AS interval)
WHERE key_hash = :key_hash AND answer IS NULL
