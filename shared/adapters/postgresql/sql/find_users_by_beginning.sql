-- users: accounts whose names begin so, in the order of their names, byte by byte.
-- :beginning text (lower case)  :after text (lower case; the name the page before ended with, or '')  :limit int
-- What begins so lies below the beginning with one more of the last letter that a name may have, and then some.

SELECT user_id, username, role, hashed_password, api_key, disabled
FROM users
WHERE lower(username) ~>=~ CAST(:beginning AS text)
    AND lower(username) ~<~ (CAST(:beginning AS text) || '~')
    AND lower(username) ~>~ CAST(:after AS text)
ORDER BY lower(username) USING ~<~
LIMIT CAST(:limit AS int)
