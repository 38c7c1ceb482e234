-- audit_log, audit_log_archive: entries with ids above :after_id up to :up_to bigint, in the order of their ids, by the primary keys.
-- :user_id (whom it is about, or who did it) :action :request_id text: null for any  :limit int

WITH archived AS MATERIALIZED (
    SELECT id FROM audit_log_archive
    WHERE id > CAST(:after_id AS bigint)
        AND id <= CAST(:up_to AS bigint)
        AND (
            CAST(:user_id AS text) IS NULL
            OR user_id = (SELECT audit_user_hash(CAST(:user_id AS text)))
            OR actor = (SELECT audit_actor_hash(CAST(:user_id AS text)))
        )
        AND (CAST(:action AS text) IS NULL OR action = CAST(:action AS text))
        AND (CAST(:request_id AS text) IS NULL OR request_id = CAST(:request_id AS text))
    ORDER BY id
    LIMIT CAST(:limit AS int)
),
newer AS (
    SELECT * FROM audit_log
    WHERE id > CAST(:after_id AS bigint)
        AND id <= CAST(:up_to AS bigint)
        AND (CAST(:user_id AS text) IS NULL OR user_id = CAST(:user_id AS text) OR actor = CAST(:user_id AS text))
        AND (CAST(:action AS text) IS NULL OR action = CAST(:action AS text))
        AND (CAST(:request_id AS text) IS NULL OR request_id = CAST(:request_id AS text))
    ORDER BY id
    LIMIT CAST(:limit AS int)
)
SELECT id, at, action, actor, user_id, request_id, source_ip, CAST(detail AS text)
FROM (
    SELECT id, at, action, actor, user_id, request_id, source_ip, detail
    FROM clear_audit_archive
    WHERE id = ANY(ARRAY(SELECT id FROM archived))
    UNION ALL
    SELECT id, at, action, actor, user_id, request_id, source_ip, detail FROM newer
) AS entries
ORDER BY id
LIMIT CAST(:limit AS int)
