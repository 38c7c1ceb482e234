-- audit_log: one row. :action :actor :user_id :source_ip :request_id :detail (JSON) text

INSERT INTO audit_log (action, actor, user_id, source_ip, request_id, detail)
VALUES (:action, :actor, :user_id, :source_ip, :request_id, CAST(:detail AS jsonb))
