-- users: accounts whose names begin so, in the order of their folded names, byte by byte.
-- :beginning text (folded)  :after text (folded; the name the page before ended with, or '')  :limit int
-- What begins so lies below the beginning with one more of the last letter that a name may have, and then some.

SELECT user_id, username, role, hashed_password, api_key, disabled
FROM users
WHERE lower(username COLLATE "C") >= CAST(:beginning AS text)
    AND lower(username COLLATE "C") < CAST(:beginning AS text) || '~'
    AND lower(username COLLATE "C") > CAST(:after AS text)
ORDER BY lower(username COLLATE "C")
LIMIT CAST(:limit AS int)
