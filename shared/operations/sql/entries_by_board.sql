-- score_history, score_entries: how many were accepted within the last minute on each board that had any, among the newest :limit of `main`
-- and as many of the other boards. By the primary keys.

SELECT board_id, count(*)
FROM (
    (
        SELECT CAST('main' AS text) AS board_id, created_at AT TIME ZONE 'UTC' AS accepted_at
        FROM score_history
        ORDER BY id DESC
        LIMIT CAST(:limit AS int)
    )
    UNION ALL
    (SELECT board_id, accepted_at FROM score_entries ORDER BY id DESC LIMIT CAST(:limit AS int))
) AS newest
WHERE accepted_at > now() - INTERVAL '1 minute'
GROUP BY board_id
