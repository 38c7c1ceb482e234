-- users: what is shown in the place of the username. :user_id text, :display_name :display_name_folded text, null for none

UPDATE users
SET display_name = CAST(:display_name AS text), display_name_folded = CAST(:display_name_folded AS text)
WHERE user_id = :user_id
