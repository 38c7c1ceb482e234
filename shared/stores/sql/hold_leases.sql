-- leases: take or renew some, in one order so that two who ask do not block one another.
-- :names text[]  :holder :successor_of text  :seconds float8  :detail text (JSON)
-- Answers name and fencing of those that :holder has now. Free is what has expired, or expires later than any lease could.
-- What :successor_of holds may be taken: that instance has ended.

INSERT INTO leases AS lease (name, holder, fencing, expires_at, detail)
SELECT
    name, :holder, 1, clock_timestamp() + make_interval(secs => CAST(:seconds AS float8)), CAST(:detail AS jsonb)
FROM unnest(CAST(:names AS text[])) AS wanted (name)
ORDER BY name COLLATE "C"
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder,
    fencing = CASE WHEN lease.fencing BETWEEN 1 AND 9007199254740991 THEN lease.fencing ELSE 0 END
        + CAST(lease.holder <> excluded.holder OR lease.expires_at <= clock_timestamp() AS int),
    expires_at = excluded.expires_at,
    detail = excluded.detail
WHERE lease.holder IN (excluded.holder, CAST(:successor_of AS text))
    OR lease.expires_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + INTERVAL '5 minutes'
RETURNING name, fencing
