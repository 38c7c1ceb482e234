-- final_ranks: how many rows a version has.
-- :board_id text  :period text  :season bigint  :version bigint

SELECT COALESCE(max(position), 0)
FROM final_ranks
WHERE board_id = CAST(:board_id AS text)
    AND period = CAST(:period AS text)
    AND season = CAST(:season AS bigint)
    AND version = CAST(:version AS bigint)
