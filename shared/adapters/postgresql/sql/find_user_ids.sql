-- users: ids of those who have one of these names. :usernames text[] (lower case)

SELECT lower(username), user_id FROM users WHERE lower(username) = ANY(CAST(:usernames AS text[]))
