-- users, audit_log: profiles of the accounts that were changed since a cached profile, which lives a minute, may have been read.

SELECT user_id, username, role, api_key, disabled
FROM users
WHERE user_id IN (
    SELECT user_id
    FROM (
        (SELECT user_id, at FROM audit_log WHERE action = 'user_changed' ORDER BY id DESC LIMIT 1000)
        UNION ALL
        (SELECT user_id, at FROM audit_log WHERE action = 'api_key_rotated' ORDER BY id DESC LIMIT 1000)
    ) AS newest
    WHERE at > now() - interval '2 minutes'
)
ORDER BY user_id
