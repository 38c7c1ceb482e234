-- audit_seals: seals from a number on, in their order. :from_seq bigint :limit int
-- An instant that Python could not read is answered as the epoch: no seal was made then, so its hash will not fit.

SELECT
    seq, first_id, last_id, row_count, content_hash,
    CASE WHEN sealed_at BETWEEN '2000-01-01Z' AND '9000-01-01Z' THEN sealed_at ELSE 'epoch' END,
    previous_hash, hash, key_id, mac
FROM audit_seals
WHERE seq >= CAST(:from_seq AS bigint)
ORDER BY seq
LIMIT CAST(:limit AS int)
