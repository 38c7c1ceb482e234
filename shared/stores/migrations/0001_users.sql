-- users: accounts. hashed_password is an encoded argon2id hash, api_key the SHA-256 of the key in hex.

CREATE TABLE users (
    user_id VARCHAR(36) PRIMARY KEY,
    username VARCHAR(50) UNIQUE NOT NULL,
    hashed_password VARCHAR(100) NOT NULL,
    api_key VARCHAR(64) UNIQUE NOT NULL,
    role VARCHAR(10) CHECK (role IN ('admin', 'player')) NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    disabled BOOLEAN NOT NULL DEFAULT FALSE
);

-- Nobody may pass for Alice under the name alice.
CREATE UNIQUE INDEX users_username_lower_key ON users (lower(username));
