-- audit_log_archive, audit_personal, audit_salts: whether the clear texts of rows with ids in these intervals are there, and are theirs.
-- :first_ids :last_ids bigint[]  :limits int[] (rows of each)
-- Answers for each interval, in order, how many hashes have no clear text, and how many one that is not theirs.

SELECT counted.missing, counted.changed
FROM unnest(
    CAST(:first_ids AS bigint[]), CAST(:last_ids AS bigint[]), CAST(:limits AS int[])
) WITH ORDINALITY AS interval_of (first_id, last_id, most, place)
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE known.hash IS NULL) AS missing,
        count(*) FILTER (WHERE audit_hash(salted.salt, known.value) <> known.hash) AS changed
    FROM (
        SELECT actor, user_id, source_ip, detail FROM audit_log_archive
        WHERE id BETWEEN interval_of.first_id AND interval_of.last_id
        ORDER BY id
        LIMIT interval_of.most
    ) AS entry
    CROSS JOIN LATERAL audit_hashes(entry.actor, entry.user_id, entry.source_ip, entry.detail) AS wanted (hash)
    LEFT JOIN audit_personal AS known ON known.hash = wanted.hash
    LEFT JOIN audit_salts AS salted ON salted.subject = known.subject
) AS counted
ORDER BY interval_of.place
