-- users, audit_log: a new account and the audit row that says so, or neither.
-- :user_id :username :hashed_password :api_key :role :action :actor :source_ip text

WITH account AS (
    INSERT INTO users (user_id, username, hashed_password, api_key, role)
    VALUES (:user_id, :username, :hashed_password, :api_key, :role)
    RETURNING user_id, username, role
)
INSERT INTO audit_log (action, actor, user_id, source_ip, detail)
SELECT :action, :actor, user_id, :source_ip, jsonb_build_object('username', username, 'role', role)
FROM account
