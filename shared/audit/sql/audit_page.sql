-- audit_log, audit_log_archive: entries in the order of their ids.
-- :since :until timestamptz: null for any  :after_id bigint  :limit int
-- As in find_audit_entries.sql, audit_log_ids_about tells in which ids the interval lies.

WITH bounds AS MATERIALIZED (
    SELECT
        greatest(
            CAST(:after_id AS bigint),
            (SELECT low FROM audit_log_ids_about(CAST(:since AS timestamptz) - INTERVAL '15 minutes'))
        ) AS above,
        (SELECT high FROM audit_log_ids_about(CAST(:until AS timestamptz) + INTERVAL '15 minutes')) AS below
)
SELECT id, at, action, actor, user_id, request_id, source_ip, CAST(detail AS text)
FROM (
    (
        SELECT id, at, action, actor, user_id, request_id, source_ip, detail
        FROM clear_audit_archive
        WHERE id > (SELECT above FROM bounds)
            AND id < coalesce((SELECT below FROM bounds), 9223372036854775807)
            AND (CAST(:since AS timestamptz) IS NULL OR at >= CAST(:since AS timestamptz))
            AND (CAST(:until AS timestamptz) IS NULL OR at < CAST(:until AS timestamptz))
        ORDER BY id
        LIMIT CAST(:limit AS int)
    )
    UNION ALL
    (
        SELECT id, at, action, actor, user_id, request_id, source_ip, detail
        FROM audit_log
        WHERE id > (SELECT above FROM bounds)
            AND id < coalesce((SELECT below FROM bounds), 9223372036854775807)
            AND (CAST(:since AS timestamptz) IS NULL OR at >= CAST(:since AS timestamptz))
            AND (CAST(:until AS timestamptz) IS NULL OR at < CAST(:until AS timestamptz))
        ORDER BY id
        LIMIT CAST(:limit AS int)
    )
) AS entries
ORDER BY id
LIMIT CAST(:limit AS int)
