-- score_history, score_entries, unrecorded_updates, repeated_updates: numbers of an epoch that are in none of them. :epoch :after :last bigint, :limit int
-- Answers the first `limit` gaps, each as its first and its last number.

WITH known AS (
    SELECT sequence FROM score_history
    WHERE epoch = CAST(:epoch AS bigint) AND sequence > CAST(:after AS bigint) AND sequence <= CAST(:last AS bigint)
    UNION
    SELECT sequence FROM score_entries
    WHERE epoch = CAST(:epoch AS bigint) AND sequence > CAST(:after AS bigint) AND sequence <= CAST(:last AS bigint)
    UNION
    SELECT sequence FROM unrecorded_updates
    WHERE epoch = CAST(:epoch AS bigint) AND sequence > CAST(:after AS bigint) AND sequence <= CAST(:last AS bigint)
    UNION
    SELECT sequence FROM repeated_updates
    WHERE epoch = CAST(:epoch AS bigint) AND sequence > CAST(:after AS bigint) AND sequence <= CAST(:last AS bigint)
    UNION
    SELECT CAST(:last AS bigint) + 1
),
gaps AS (
    SELECT lag(sequence, 1, CAST(:after AS bigint)) OVER (ORDER BY sequence) + 1 AS first, sequence - 1 AS last FROM known
)
SELECT first, last
FROM gaps
WHERE first <= last
ORDER BY first
LIMIT CAST(:limit AS int)
