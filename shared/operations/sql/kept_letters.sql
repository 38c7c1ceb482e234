-- unrecorded_updates: messages whose body has the text :sealed in it, and dead letters that are kept whole.

SELECT
    count(*) FILTER (WHERE state <> 'discarded' AND position(convert_to(:sealed, 'UTF8') IN body) > 0),
    count(*) FILTER (WHERE state = 'parked' AND octet_length(body) = size)
FROM unrecorded_updates
WHERE body IS NOT NULL
