-- users: ids of those who have one of these names, by folded name. :usernames text[] (folded)

SELECT lower(username COLLATE "C"), user_id
FROM users
WHERE lower(username COLLATE "C") = ANY(CAST(:usernames AS text[]))
