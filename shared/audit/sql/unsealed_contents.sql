-- audit_log: what is to be sealed next, in blocks. :after_id :up_to bigint  :rows_a_seal :seals int
-- Answers for each block its last id, how many rows it has, their hash in format 2 (audit_seals), and the instant by the database's clock.

WITH next_rows AS (
    SELECT * FROM hashed_audit_log
    WHERE id > CAST(:after_id AS bigint) AND id <= CAST(:up_to AS bigint)
    ORDER BY id
    LIMIT CAST(:rows_a_seal AS int) * CAST(:seals AS int)
),
lines AS (
    SELECT
        id,
        (row_number() OVER (ORDER BY id) - 1) / CAST(:rows_a_seal AS int) AS block,
        audit_line(id, at, action, actor, user_id, request_id, source_ip, detail) AS line
    FROM next_rows
)
SELECT
    max(id),
    count(*),
    '2:' || encode(sha256(convert_to(string_agg(line, chr(10) ORDER BY id), 'UTF8')), 'hex'),
    clock_timestamp()
FROM lines
GROUP BY block
ORDER BY block
