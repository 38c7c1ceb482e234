-- refresh_tokens, audit_log: a spent token came back, so one of its two holders is a thief: nobody of the family goes on.
-- :family_id :user_id text

WITH ended AS (
    DELETE FROM refresh_tokens WHERE family_id = :family_id RETURNING token_hash
)
INSERT INTO audit_log (action, actor, user_id, detail)
SELECT 'refresh_token_reused', 'scoreboard', :user_id, jsonb_build_object('ended_tokens', count(*))
FROM ended
