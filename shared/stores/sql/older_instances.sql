-- leases: running instances with an older schema than :oldest int, without those of :own text[]. Of one that does not tell it is 0.
-- Answers their ids.

SELECT holder
FROM leases
WHERE name LIKE 'instance:%'
    AND expires_at > clock_timestamp()
    AND holder <> ALL(CAST(:own AS text[]))
    AND coalesce(CAST(detail ->> 'SCHEMA' AS int), 0) < CAST(:oldest AS int)
ORDER BY holder
