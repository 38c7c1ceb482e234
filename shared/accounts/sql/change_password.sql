-- users: another password. :user_id :hashed_password text

UPDATE users SET hashed_password = :hashed_password WHERE user_id = :user_id
