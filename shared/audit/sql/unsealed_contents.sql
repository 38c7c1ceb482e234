-- audit_log: what is to be sealed next, in blocks. :after_id :up_to bigint  :rows_a_seal :seals int
-- Answers for each block its last id, how many rows it has, their hash, and the instant by the database's clock.
-- The text of a row is the same in every session, whatever its time zone; seal_contents.sql makes it the same way.

WITH next_rows AS (
    SELECT * FROM audit_log
    WHERE id > CAST(:after_id AS bigint) AND id <= CAST(:up_to AS bigint)
    ORDER BY id
    LIMIT CAST(:rows_a_seal AS int) * CAST(:seals AS int)
),
lines AS (
    SELECT
        id,
        (row_number() OVER (ORDER BY id) - 1) / CAST(:rows_a_seal AS int) AS block,
        CAST(
            jsonb_build_array(id, CAST(extract(EPOCH FROM at) AS text), action, actor, user_id, request_id, source_ip, detail)
            AS text
        ) AS line
    FROM next_rows
)
SELECT
    max(id),
    count(*),
    encode(sha256(convert_to(string_agg(line, chr(10) ORDER BY id), 'UTF8')), 'hex'),
    clock_timestamp()
FROM lines
GROUP BY block
ORDER BY block
