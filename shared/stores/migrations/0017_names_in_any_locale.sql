-- users: names are folded as the program folds them, whatever the locale of the database is.
--
-- A database with a locale of its own (ICU tr-TR) folds I to a letter that is not i: INGRID and ingrid were two accounts there, and a
-- log-in in the other case failed. Collation "C" folds A to Z and nothing else, which is all that a name can have, and orders byte by
-- byte: one index serves names as a whole and by how they begin.

DO $$
DECLARE
    the_same CONSTANT TEXT := (
        SELECT string_agg(accounts, '; ')
        FROM (
            SELECT string_agg(format('%s (%s)', username, user_id), ', ' ORDER BY created_at, user_id) AS accounts
            FROM users
            GROUP BY lower(username COLLATE "C")
            HAVING count(*) > 1
            ORDER BY lower(username COLLATE "C")
            LIMIT 100
        ) AS names
    );
BEGIN
    IF the_same IS NOT NULL THEN
        RAISE EXCEPTION 'some users have the same name but for the case of a letter: %. Nothing was changed. Of each, rename all but '
            'one as the owner of the tables (UPDATE users SET username = ''...'' WHERE user_id = ''...'') and start again; they keep '
            'their scores, and log in with the new name', the_same;
    END IF;
END
$$;

CREATE UNIQUE INDEX users_username_folded_key ON users (lower(username COLLATE "C"));
DROP INDEX users_username_lower_key;
DROP INDEX users_username_begins_idx;
