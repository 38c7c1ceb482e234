-- refresh_tokens, users: the first token of a new session, if the account still has the password that was just checked and is not
-- disabled: whoever changes that holds the row, and ends the sessions that were begun before. The user's expired tokens go.
-- :token_hash :session_id :user_id :hashed_password text, :expires_at timestamptz

WITH account AS (
    SELECT user_id FROM users
    WHERE user_id = :user_id AND hashed_password = :hashed_password AND NOT disabled
    FOR SHARE
), expired AS (
    DELETE FROM refresh_tokens WHERE user_id = :user_id AND expires_at < now()
)
INSERT INTO refresh_tokens (token_hash, family_id, user_id, expires_at)
SELECT :token_hash, :session_id, user_id, CAST(:expires_at AS timestamptz)
FROM account
RETURNING token_hash
