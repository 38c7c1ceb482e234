-- audit_salts: what the next rows need to be sealed. :after_id :up_to bigint  :rows int
-- Answers whether it is there; false when another transaction is about to add some of it.

SELECT add_audit_salts(CAST(:after_id AS bigint), CAST(:up_to AS bigint), CAST(:rows AS int))
