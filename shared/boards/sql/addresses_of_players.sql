-- audit_log, audit_log_archive: from which addresses players registered, updated their scores or added entries within a time, each pair once.
-- :since :until timestamptz, null for any; :limit int
-- What a game's server wrote for them came from its address, not theirs.

WITH bounds AS MATERIALIZED (
    SELECT
        coalesce((SELECT low FROM audit_log_ids_about(CAST(:since AS timestamptz) - INTERVAL '15 minutes')), 0) AS above,
        coalesce((SELECT high FROM audit_log_ids_about(CAST(:until AS timestamptz) + INTERVAL '15 minutes')), 9223372036854775807) AS below
)
SELECT DISTINCT user_id, source_ip
FROM (
    SELECT id, at, action, actor, user_id, source_ip FROM audit_log
    UNION ALL
    SELECT id, at, action, actor, user_id, source_ip FROM clear_audit_archive
) AS kept
WHERE id > (SELECT above FROM bounds) AND id < (SELECT below FROM bounds)
    AND action IN ('score_accepted', 'user_registered')
    AND actor = user_id
    AND source_ip IS NOT NULL
    AND (CAST(:since AS timestamptz) IS NULL OR at >= CAST(:since AS timestamptz))
    AND (CAST(:until AS timestamptz) IS NULL OR at < CAST(:until AS timestamptz))
LIMIT CAST(:limit AS int)
