-- users: another admin who is not disabled, and no simulated one. :user_id text

SELECT user_id FROM users
WHERE role = 'admin' AND NOT disabled AND NOT simulated AND user_id <> :user_id
LIMIT 1
