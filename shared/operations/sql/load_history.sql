-- restored_part, which stands for the table that a part is loaded into: rows of a file. :lines text (a JSON array of its lines)

INSERT INTO restored_part (id, request_id, user_id, increment, new_score, created_at, epoch, sequence)
SELECT
    CAST(line ->> 0 AS bigint), line ->> 1, line ->> 2, CAST(line ->> 3 AS int), CAST(line ->> 4 AS int),
    TIMESTAMP 'epoch' + CAST(line ->> 5 AS bigint) * INTERVAL '1 microsecond', CAST(line ->> 6 AS bigint), CAST(line ->> 7 AS bigint)
FROM jsonb_array_elements(CAST(:lines AS jsonb)) AS t (line)
