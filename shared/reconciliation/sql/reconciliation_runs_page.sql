-- reconciliation_runs: runs, newest first, with the first of their discrepancies.
-- :before_id bigint (null for the newest)  :limit :details int

SELECT
    id, started_at, finished_at, dry_run, whole_board, checked, discrepancies,
    coalesce(
        (
            SELECT jsonb_agg(entry ORDER BY place)
            FROM jsonb_array_elements(detail) WITH ORDINALITY AS found (entry, place)
            WHERE place <= CAST(:details AS int)
        ),
        '[]'
    )
FROM reconciliation_runs
WHERE CAST(:before_id AS bigint) IS NULL OR id < CAST(:before_id AS bigint)
ORDER BY id DESC
LIMIT CAST(:limit AS int)
