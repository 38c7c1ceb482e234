-- audit_log_archive, audit_seals: rows of a part as lines of a file, each seal behind the rows that it covers; a page in their order.
-- :after (a place) :first_id :last_id bigint  :limit int
-- Answers place and line: of a row the text that is sealed (audit_line), of a seal {"seal": [number, first and last id, rows, hash of
-- the contents, when (microseconds since 1970), hash of the seal before it, its own, key id, MAC]}. A seal has the place of its last id.

SELECT place, line
FROM (
    (
        SELECT 2 * id AS place, audit_line(id, at, action, actor, user_id, request_id, source_ip, detail) AS line
        FROM audit_log_archive
        WHERE id > (CAST(:after AS bigint) / 2) - 1
            AND 2 * id > CAST(:after AS bigint)
            AND id BETWEEN CAST(:first_id AS bigint) AND CAST(:last_id AS bigint)
        ORDER BY id
        LIMIT CAST(:limit AS int)
    )
    UNION ALL
    (
        SELECT
            2 * last_id + 1,
            CAST(
                jsonb_build_object(
                    'seal',
                    jsonb_build_array(
                        seq, first_id, last_id, row_count, content_hash,
                        CAST(extract(EPOCH FROM sealed_at) * 1000000 AS bigint), previous_hash, hash, key_id, mac
                    )
                ) AS text
            )
        FROM audit_seals AS seal
        WHERE first_id BETWEEN CAST(:first_id AS bigint) AND CAST(:last_id AS bigint)
            AND last_id <= CAST(:last_id AS bigint)
            AND 2 * last_id + 1 > CAST(:after AS bigint)
            AND isfinite(sealed_at)
            AND EXISTS (
                SELECT FROM audit_seals AS next WHERE next.first_id = seal.last_id + 1 AND next.previous_hash = seal.hash
            )
        ORDER BY last_id
        FETCH FIRST CAST(:limit AS int) ROWS WITH TIES
    )
) AS lines
ORDER BY place
FETCH FIRST CAST(:limit AS int) ROWS WITH TIES
