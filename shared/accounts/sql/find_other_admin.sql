-- users: another admin who is not disabled. :user_id text

SELECT user_id FROM users
WHERE role = 'admin' AND NOT disabled AND user_id <> :user_id
LIMIT 1
