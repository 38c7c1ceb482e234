-- Disabled accounts, found at once among all others: their players are hidden from the board.

CREATE INDEX users_disabled_key ON users (user_id) WHERE disabled;
