-- kept_answers: a request that was being carried out came to nothing. :key_hash text

DELETE FROM kept_answers WHERE key_hash = :key_hash AND answer IS NULL
