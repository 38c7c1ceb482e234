-- users: accounts whose names or display names begin so, in the order of their folded names, byte by byte.
-- :beginning text (folded as names)  :shown text (folded as display names, '' for none)
-- :after text (folded; the name the page before ended with, or '')  :limit int
-- What begins so lies below the beginning with one more of the last letter that a name may have, and then some.

SELECT user_id, username, role, hashed_password, api_key, disabled, simulated, display_name
FROM (
    (
        SELECT user_id, username, role, hashed_password, api_key, disabled, simulated, display_name
        FROM users
        WHERE lower(username COLLATE "C") >= CAST(:beginning AS text)
            AND lower(username COLLATE "C") < CAST(:beginning AS text) || '~'
            AND lower(username COLLATE "C") > CAST(:after AS text)
        ORDER BY lower(username COLLATE "C")
        LIMIT CAST(:limit AS int)
    )
    UNION
    (
        SELECT user_id, username, role, hashed_password, api_key, disabled, simulated, display_name
        FROM users
        WHERE CAST(:shown AS text) <> ''
            AND display_name_folded COLLATE "C" ^@ CAST(:shown AS text)
            AND lower(username COLLATE "C") > CAST(:after AS text)
        ORDER BY lower(username COLLATE "C")
        LIMIT CAST(:limit AS int)
    )
) AS found
ORDER BY lower(username COLLATE "C")
LIMIT CAST(:limit AS int)
