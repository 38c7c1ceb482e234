-- audit_log, audit_seals: entries in the order of their ids. :since :until timestamptz: null for any  :after_id bigint  :limit int
-- As in find_audit_entries.sql, seals tell in which ids the interval lies.

WITH bounds AS MATERIALIZED (
    SELECT
        greatest(
            CAST(:after_id AS bigint),
            (SELECT last_id FROM audit_seals WHERE sealed_at < CAST(:since AS timestamptz) ORDER BY sealed_at DESC LIMIT 1)
        ) AS above,
        (
            SELECT last_id FROM audit_seals
            WHERE sealed_at > CAST(:until AS timestamptz) + INTERVAL '15 minutes'
            ORDER BY sealed_at
            LIMIT 1
        ) AS up_to
)
SELECT id, at, action, actor, user_id, request_id, source_ip, detail
FROM audit_log
WHERE id > (SELECT above FROM bounds)
    AND id <= coalesce((SELECT up_to FROM bounds), 9223372036854775807)
    AND (CAST(:since AS timestamptz) IS NULL OR at >= CAST(:since AS timestamptz))
    AND (CAST(:until AS timestamptz) IS NULL OR at < CAST(:until AS timestamptz))
ORDER BY id
LIMIT CAST(:limit AS int)
