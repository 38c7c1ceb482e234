-- audit_seals: seals below a number, the highest number first; as find_seals.sql. :below_seq bigint (null for all) :limit int

SELECT
    seq, first_id, last_id, row_count, left(content_hash, 100),
    CASE WHEN sealed_at BETWEEN '2000-01-01Z' AND '9000-01-01Z' THEN sealed_at ELSE 'epoch' END,
    left(previous_hash, 100), left(hash, 100), left(key_id, 201), left(mac, 100)
FROM audit_seals
WHERE CAST(:below_seq AS bigint) IS NULL OR seq < CAST(:below_seq AS bigint)
ORDER BY seq DESC
LIMIT CAST(:limit AS int)
