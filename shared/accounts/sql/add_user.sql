-- users, audit_log: a new account and the audit row that says so, or neither.
-- :user_id :username :hashed_password :api_key :role :action :actor :source_ip text, :display_name :display_name_folded text or null

WITH account AS (
    INSERT INTO users (user_id, username, hashed_password, api_key, role, display_name, display_name_folded)
    VALUES (
        :user_id, :username, :hashed_password, :api_key, :role,
        CAST(:display_name AS text), CAST(:display_name_folded AS text)
    )
    RETURNING user_id, username, role, display_name
)
INSERT INTO audit_log (action, actor, user_id, source_ip, detail)
SELECT :action, :actor, user_id, :source_ip, jsonb_strip_nulls(
    jsonb_build_object('username', username, 'role', role, 'displayName', display_name)
)
FROM account
