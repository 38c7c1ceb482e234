-- users: another API key. :user_id :api_key (SHA-256 in hex) text

UPDATE users SET api_key = :api_key WHERE user_id = :user_id
