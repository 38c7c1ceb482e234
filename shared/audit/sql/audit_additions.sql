-- audit_log: entries with ids above :after_id up to :up_to bigint, in the order of their ids, by the primary key.
-- :user_id (whom it is about, or who did it) :action :request_id text: null for any  :limit int

SELECT id, at, action, actor, user_id, request_id, source_ip, CAST(detail AS text)
FROM audit_log
WHERE id > CAST(:after_id AS bigint)
    AND id <= CAST(:up_to AS bigint)
    AND (CAST(:user_id AS text) IS NULL OR user_id = CAST(:user_id AS text) OR actor = CAST(:user_id AS text))
    AND (CAST(:action AS text) IS NULL OR action = CAST(:action AS text))
    AND (CAST(:request_id AS text) IS NULL OR request_id = CAST(:request_id AS text))
ORDER BY id
LIMIT CAST(:limit AS int)
