-- audit_log, audit_log_archive: what stands there now with ids in these intervals.
-- :first_ids :last_ids bigint[]  :limits int[] (rows of each)  :are_hashed boolean[], whether format 2 (audit_seals) is wanted
-- Answers for each interval, in order, how many rows it has, their hash, and the instant by the database's clock.

SELECT content.row_count, content.hash, clock_timestamp()
FROM unnest(
    CAST(:first_ids AS bigint[]), CAST(:last_ids AS bigint[]), CAST(:limits AS int[]), CAST(:are_hashed AS boolean[])
) WITH ORDINALITY AS interval_of (first_id, last_id, most, is_hashed, place)
CROSS JOIN LATERAL (
    SELECT
        count(*) AS row_count,
        CASE WHEN is_hashed THEN '2:' ELSE '' END
        || encode(sha256(convert_to(coalesce(string_agg(line, chr(10) ORDER BY id), ''), 'UTF8')), 'hex') AS hash
    FROM (
        (
            SELECT id, audit_line(id, at, action, actor, user_id, request_id, source_ip, detail) AS line
            FROM hashed_audit_log
            WHERE is_hashed AND id BETWEEN interval_of.first_id AND interval_of.last_id
            ORDER BY id
            LIMIT interval_of.most
        )
        UNION ALL
        (
            SELECT id, audit_line(id, at, action, actor, user_id, request_id, source_ip, detail)
            FROM audit_log_archive
            WHERE is_hashed AND id BETWEEN interval_of.first_id AND interval_of.last_id
            ORDER BY id
            LIMIT interval_of.most
        )
        UNION ALL
        (
            SELECT id, audit_line(id, at, action, actor, user_id, request_id, source_ip, detail)
            FROM audit_log
            WHERE NOT is_hashed AND id BETWEEN interval_of.first_id AND interval_of.last_id
            ORDER BY id
            LIMIT interval_of.most
        )
        UNION ALL
        (
            SELECT id, audit_line(id, at, action, actor, user_id, request_id, source_ip, detail)
            FROM clear_audit_archive
            WHERE NOT is_hashed AND id BETWEEN interval_of.first_id AND interval_of.last_id
            ORDER BY id
            LIMIT interval_of.most
        )
    ) AS covered
) AS content
ORDER BY interval_of.place
