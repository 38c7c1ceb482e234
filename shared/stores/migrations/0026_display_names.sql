-- users: what is shown in the place of the username.
--   display_name         NULL shows the username
--   display_name_folded  the same as an admin searches for it: folded by the program, whatever the locale of the database is

ALTER TABLE users
    ADD COLUMN display_name VARCHAR(50),
    ADD COLUMN display_name_folded TEXT;

-- Compared byte by byte: so one range of the index is one beginning of a name.
CREATE INDEX users_display_name_begins_idx ON users (display_name_folded COLLATE "C") WHERE display_name_folded IS NOT NULL;
