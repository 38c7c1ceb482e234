-- users: what the account may do, and whether it is a simulated player's. :user_id :role text, :disabled :simulated boolean

UPDATE users SET role = :role, disabled = :disabled, simulated = :simulated WHERE user_id = :user_id
