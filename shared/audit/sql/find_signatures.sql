-- audit_signatures: those with one of these keys that are not there with the current one, a page in their order.
-- :key_ids text[]  :current :after_key_id :after_signed :after_mac text  :limit int

SELECT key_id, signed, mac
FROM audit_signatures AS former
WHERE key_id = ANY(CAST(:key_ids AS text[]))
    AND (key_id, signed, mac) > (CAST(:after_key_id AS text), CAST(:after_signed AS text), CAST(:after_mac AS text))
    AND NOT EXISTS (
        SELECT FROM audit_signatures AS renewed WHERE renewed.key_id = CAST(:current AS text) AND renewed.signed = former.signed
    )
ORDER BY key_id, signed, mac
LIMIT CAST(:limit AS int)
