-- users: what the account may do. :user_id :role text, :disabled boolean

UPDATE users SET role = :role, disabled = :disabled WHERE user_id = :user_id
