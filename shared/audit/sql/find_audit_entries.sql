-- audit_log, audit_log_archive: entries, newest first.
-- :user_id :action :actor text, :since :until timestamptz: null for any  :before_id bigint  :limit int
-- Accepted updates, which are nearly all, and the rest are looked for apart: each part has the index that fits. In which ids the
-- interval lies audit_log_ids_about tells; a row's instant is that at which its transaction began, and none of ours lasts for
-- 15 minutes. Run with plan_cache_mode = force_custom_plan, so that what is null is not planned for.

WITH bounds AS MATERIALIZED (
    SELECT
        coalesce(
            (SELECT low FROM audit_log_ids_about(CAST(:since AS timestamptz) - INTERVAL '15 minutes')), 0
        ) AS above,
        least(
            CAST(:before_id AS bigint),
            (SELECT high FROM audit_log_ids_about(CAST(:until AS timestamptz) + INTERVAL '15 minutes'))
        ) AS below
),
wanted AS MATERIALIZED (
    SELECT audit_user_hash(CAST(:user_id AS text)) AS user_id, audit_actor_hash(CAST(:actor AS text)) AS actor
),
accepted AS (
    SELECT audit_log.* FROM audit_log
    WHERE action = 'score_accepted'
        AND (CAST(:action AS text) IS NULL OR CAST(:action AS text) = 'score_accepted')
        AND id > (SELECT above FROM bounds) AND id < (SELECT below FROM bounds)
        AND (CAST(:user_id AS text) IS NULL OR user_id = CAST(:user_id AS text))
        AND (CAST(:actor AS text) IS NULL OR (user_id = CAST(:actor AS text) AND actor = CAST(:actor AS text)))
        AND (CAST(:since AS timestamptz) IS NULL OR at >= CAST(:since AS timestamptz))
        AND (CAST(:until AS timestamptz) IS NULL OR at < CAST(:until AS timestamptz))
    ORDER BY id DESC
    LIMIT CAST(:limit AS int)
),
others AS (
    SELECT audit_log.* FROM audit_log
    WHERE action <> 'score_accepted'
        AND (CAST(:action AS text) IS NULL OR action = CAST(:action AS text))
        AND id > (SELECT above FROM bounds) AND id < (SELECT below FROM bounds)
        AND (CAST(:user_id AS text) IS NULL OR user_id = CAST(:user_id AS text))
        AND (CAST(:actor AS text) IS NULL OR actor = CAST(:actor AS text))
        AND (CAST(:since AS timestamptz) IS NULL OR at >= CAST(:since AS timestamptz))
        AND (CAST(:until AS timestamptz) IS NULL OR at < CAST(:until AS timestamptz))
    ORDER BY id DESC
    LIMIT CAST(:limit AS int)
),
archived_accepted AS (
    SELECT id FROM audit_log_archive
    WHERE action = 'score_accepted'
        AND (CAST(:action AS text) IS NULL OR CAST(:action AS text) = 'score_accepted')
        AND id > (SELECT above FROM bounds) AND id < (SELECT below FROM bounds)
        AND (CAST(:user_id AS text) IS NULL OR user_id = (SELECT user_id FROM wanted))
        AND (CAST(:actor AS text) IS NULL OR (user_id = (SELECT actor FROM wanted) AND actor = (SELECT actor FROM wanted)))
        AND (CAST(:since AS timestamptz) IS NULL OR at >= CAST(:since AS timestamptz))
        AND (CAST(:until AS timestamptz) IS NULL OR at < CAST(:until AS timestamptz))
    ORDER BY id DESC
    LIMIT CAST(:limit AS int)
),
archived_others AS (
    SELECT id FROM audit_log_archive
    WHERE action <> 'score_accepted'
        AND (CAST(:action AS text) IS NULL OR action = CAST(:action AS text))
        AND id > (SELECT above FROM bounds) AND id < (SELECT below FROM bounds)
        AND (CAST(:user_id AS text) IS NULL OR user_id = (SELECT user_id FROM wanted))
        AND (CAST(:actor AS text) IS NULL OR actor = (SELECT actor FROM wanted))
        AND (CAST(:since AS timestamptz) IS NULL OR at >= CAST(:since AS timestamptz))
        AND (CAST(:until AS timestamptz) IS NULL OR at < CAST(:until AS timestamptz))
    ORDER BY id DESC
    LIMIT CAST(:limit AS int)
),
archived AS MATERIALIZED (
    SELECT id FROM (SELECT id FROM archived_accepted UNION ALL SELECT id FROM archived_others) AS found
    ORDER BY id DESC
    LIMIT CAST(:limit AS int)
)
SELECT id, at, action, actor, user_id, request_id, source_ip, CAST(detail AS text)
FROM (
    SELECT id, at, action, actor, user_id, request_id, source_ip, detail FROM accepted
    UNION ALL
    SELECT id, at, action, actor, user_id, request_id, source_ip, detail FROM others
    UNION ALL
    SELECT id, at, action, actor, user_id, request_id, source_ip, detail
    FROM clear_audit_archive
    WHERE id = ANY(ARRAY(SELECT id FROM archived))
) AS entries
ORDER BY id DESC
LIMIT CAST(:limit AS int)
