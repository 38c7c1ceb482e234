-- refresh_tokens: one token, and what followed it if that may be given again: it has not been used itself, and the token was spent
-- less than :grace ago, or less than :keyed ago with the same Idempotency-Key. :token_hash :key_hash ('' without a key) :grace
-- :keyed (intervals) text

SELECT
    token.user_id,
    token.family_id,
    token.expires_at,
    token.spent_at IS NOT NULL,
    CASE
        WHEN token.spent_at > now() - CAST(CASE WHEN token.renewal_key_hash = :key_hash THEN :keyed ELSE :grace END AS interval)
            AND successor.token_hash IS NOT NULL
        THEN token.sealed_successor
    END,
    successor.token_hash
FROM refresh_tokens AS token
LEFT JOIN refresh_tokens AS successor
    ON successor.token_hash = token.successor_hash AND successor.spent_at IS NULL AND successor.expires_at > now()
WHERE token.token_hash = :token_hash
