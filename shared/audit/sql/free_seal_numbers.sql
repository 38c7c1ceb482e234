-- audit_seals: the first number above another one that no seal has, and the next one that a seal has, or null. :after_seq bigint

WITH free AS (
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM audit_seals WHERE seq = CAST(:after_seq AS bigint) + 1) THEN CAST(:after_seq AS bigint) + 1
        ELSE (
            SELECT seq + 1
            FROM audit_seals AS taken
            WHERE seq > CAST(:after_seq AS bigint)
                AND seq < 9223372036854775807
                AND NOT EXISTS (SELECT FROM audit_seals AS following WHERE following.seq = taken.seq + 1)
            ORDER BY seq
            LIMIT 1
        )
    END AS seq
)
SELECT seq, (SELECT min(audit_seals.seq) FROM audit_seals WHERE audit_seals.seq > free.seq) FROM free
