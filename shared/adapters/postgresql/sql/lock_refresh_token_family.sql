-- refresh_tokens: until the end of the transaction nobody else changes this family, not even by adding to it. :family_id text

SELECT pg_advisory_xact_lock(hashtextextended(:family_id, 0))
