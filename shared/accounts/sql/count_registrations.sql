-- audit_log, users: how many registered themselves within the last hour, counted up to :most; null without any account. :most integer

SELECT CASE WHEN EXISTS (SELECT 1 FROM users) THEN count(*) END
FROM (
    SELECT at FROM audit_log WHERE action = 'user_registered' ORDER BY id DESC LIMIT CAST(:most AS integer)
) AS newest
WHERE at > now() - interval '1 hour'
