-- audit_log: what stands there now with ids in these intervals. :first_ids :last_ids bigint[]  :limits int[] (rows of each)
-- Answers for each interval, in order, how many rows it has, their hash, and the instant by the database's clock.
-- The text of a row is that of unsealed_contents.sql.

SELECT content.row_count, content.hash, clock_timestamp()
FROM unnest(
    CAST(:first_ids AS bigint[]), CAST(:last_ids AS bigint[]), CAST(:limits AS int[])
) WITH ORDINALITY AS interval_of (first_id, last_id, most, place)
CROSS JOIN LATERAL (
    SELECT
        count(*) AS row_count,
        encode(
            sha256(
                convert_to(
                    coalesce(
                        string_agg(
                            CAST(
                                jsonb_build_array(
                                    id, CAST(extract(EPOCH FROM at) AS text), action, actor, user_id, request_id, source_ip, detail
                                )
                                AS text
                            ),
                            chr(10)
                            ORDER BY id
                        ),
                        ''
                    ),
                    'UTF8'
                )
            ),
            'hex'
        ) AS hash
    FROM (
        SELECT * FROM audit_log
        WHERE id BETWEEN interval_of.first_id AND interval_of.last_id
        ORDER BY id
        LIMIT interval_of.most
    ) AS covered
) AS content
ORDER BY interval_of.place
