-- refresh_tokens: a token whose answer was lost may be shown again for a while, and gives the same successor.
--   successor_hash     SHA-256 of the token that followed
--   sealed_successor   that token, sealed under a key derived from the server's keys and from the spent token, which is not here;
--                      gone as soon as the successor has been used itself
--   renewal_key_hash   SHA-256 of the Idempotency-Key it was spent with
-- ended_sessions: a request that ends sessions tells the other stores of those that ended before, too.

ALTER TABLE refresh_tokens
    ADD COLUMN successor_hash VARCHAR(64),
    ADD COLUMN sealed_successor TEXT,
    ADD COLUMN renewal_key_hash VARCHAR(64);

CREATE INDEX refresh_tokens_sealed_idx ON refresh_tokens (spent_at) WHERE sealed_successor IS NOT NULL;
CREATE INDEX ended_sessions_user_id_idx ON ended_sessions (user_id);
