-- kept_answers: an answer, or none yet. Waits for a transaction that is keeping one under the same key.
-- :key_hash :answer (or NULL) :kept (interval) text
-- Returns the key's hash, or nothing when there is one already.

INSERT INTO kept_answers (key_hash, answer, expires_at)
VALUES (:key_hash, :answer, now() + CAST(:kept AS interval))
ON CONFLICT (key_hash) DO UPDATE SET answer = excluded.answer, expires_at = excluded.expires_at
    WHERE kept_answers.expires_at <= now()
RETURNING key_hash
