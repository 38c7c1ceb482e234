-- audit_seals: seals from a number on, in their order. :from_seq bigint :limit int
-- What may be in a row that is none of ours is made fit to be read: an instant out of range is answered as the epoch (no seal was made
-- then, so its hash will not fit), a text that is too long is cut off (the same).

SELECT
    seq, first_id, last_id, row_count, left(content_hash, 100),
    CASE WHEN sealed_at BETWEEN '2000-01-01Z' AND '9000-01-01Z' THEN sealed_at ELSE 'epoch' END,
    left(previous_hash, 100), left(hash, 100), left(key_id, 201), left(mac, 100)
FROM audit_seals
WHERE seq >= CAST(:from_seq AS bigint)
ORDER BY seq
LIMIT CAST(:limit AS int)
