-- restored_part, which stands for the table that a part is loaded into: rows of a file. :lines text (a JSON array of its lines)
-- Lines of seals are passed over: those stay in audit_seals.

INSERT INTO restored_part (id, at, action, actor, user_id, request_id, source_ip, detail)
SELECT
    CAST(line ->> 0 AS bigint),
    TIMESTAMPTZ 'epoch' + CAST(CAST(line ->> 1 AS numeric) * 1000000 AS bigint) * INTERVAL '1 microsecond',
    line ->> 2, line ->> 3, line ->> 4, line ->> 5, line ->> 6, line -> 7
FROM jsonb_array_elements(CAST(:lines AS jsonb)) AS t (line)
WHERE jsonb_typeof(line) = 'array'
