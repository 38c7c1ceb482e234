-- audit_seals: seals over ids above :after_id up to :up_to bigint that another one follows, in their order. :limit int
-- Columns as in find_seals.sql.

SELECT
    seq, first_id, last_id, row_count, left(content_hash, 100),
    CASE WHEN sealed_at BETWEEN '2000-01-01Z' AND '9000-01-01Z' THEN sealed_at ELSE 'epoch' END,
    left(previous_hash, 100), left(hash, 100), left(key_id, 201), left(mac, 100)
FROM audit_seals AS seal
WHERE first_id > CAST(:after_id AS bigint)
    AND last_id <= CAST(:up_to AS bigint)
    AND EXISTS (
        SELECT FROM audit_seals AS next WHERE next.first_id = seal.last_id + 1 AND next.previous_hash = seal.hash
    )
ORDER BY first_id, seq
LIMIT CAST(:limit AS int)
