-- audit_log, audit_log_archive, kept_history, score_entries: entries of one request, newest first.
-- :request_id text  :user_id :action :actor text, :since :until timestamptz: null for any  :before_id bigint  :limit int
-- An accepted update is looked for among its player's entries, from when it was accepted on: it was recorded soon after.

WITH known AS (
    SELECT user_id, created_at AT TIME ZONE 'UTC' AS accepted_at FROM kept_history WHERE request_id = CAST(:request_id AS text)
    UNION ALL
    SELECT user_id, accepted_at FROM score_entries WHERE request_id = CAST(:request_id AS text)
),
accepted AS (
    SELECT found.*
    FROM known CROSS JOIN LATERAL (
        SELECT audit_log.* FROM audit_log
        WHERE action = 'score_accepted'
            AND audit_log.user_id = known.user_id
            AND audit_log.request_id = CAST(:request_id AS text)
            AND audit_log.id > coalesce((SELECT low FROM audit_log_ids_about(known.accepted_at - INTERVAL '15 minutes')), 0)
        ORDER BY audit_log.id
        LIMIT 1
    ) AS found
),
others AS (
    SELECT * FROM audit_log WHERE action <> 'score_accepted' AND request_id = CAST(:request_id AS text)
),
archived AS MATERIALIZED (
    SELECT found.id
    FROM known CROSS JOIN LATERAL (
        SELECT old.id FROM audit_log_archive AS old
        WHERE old.action = 'score_accepted'
            AND old.user_id = audit_user_hash(known.user_id)
            AND old.request_id = CAST(:request_id AS text)
            AND old.id > coalesce((SELECT low FROM audit_log_ids_about(known.accepted_at - INTERVAL '15 minutes')), 0)
        ORDER BY old.id
        LIMIT 1
    ) AS found
    UNION ALL
    SELECT id FROM audit_log_archive WHERE action <> 'score_accepted' AND request_id = CAST(:request_id AS text)
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
WHERE id < CAST(:before_id AS bigint)
    AND (CAST(:user_id AS text) IS NULL OR user_id = CAST(:user_id AS text))
    AND (CAST(:action AS text) IS NULL OR action = CAST(:action AS text))
    AND (CAST(:actor AS text) IS NULL OR actor = CAST(:actor AS text))
    AND (CAST(:since AS timestamptz) IS NULL OR at >= CAST(:since AS timestamptz))
    AND (CAST(:until AS timestamptz) IS NULL OR at < CAST(:until AS timestamptz))
ORDER BY id DESC
LIMIT CAST(:limit AS int)
