-- final_ranks, season_totals: how many rows stand up to a place, its own included; found by halving, as positions are 1, 2, 3, …
-- :board_id text  :period text  :season bigint  :version bigint
-- :direction bigint (1 where lower is better, -1 where higher is)
-- :score bigint  :second bigint  :epoch bigint  :sequence bigint

WITH RECURSIVE halved (low, high) AS (
    SELECT CAST(0 AS bigint), COALESCE(max(position), 0)
    FROM final_ranks
    WHERE board_id = CAST(:board_id AS text)
        AND period = CAST(:period AS text)
        AND season = CAST(:season AS bigint)
        AND version = CAST(:version AS bigint)
    UNION ALL
    SELECT CASE WHEN is_before THEN middle ELSE low END, CASE WHEN is_before THEN high ELSE middle - 1 END
    FROM halved
    CROSS JOIN LATERAL (
        SELECT
            f.position AS middle,
            (
                f.score * CAST(:direction AS bigint),
                f.second * CAST(:direction AS bigint),
                COALESCE(t.epoch, 0),
                COALESCE(t.sequence, 0)
            ) <= (
                CAST(:score AS bigint) * CAST(:direction AS bigint),
                CAST(:second AS bigint) * CAST(:direction AS bigint),
                CAST(:epoch AS bigint),
                CAST(:sequence AS bigint)
            ) AS is_before
        FROM final_ranks AS f
        LEFT JOIN LATERAL (
            SELECT epoch, sequence
            FROM season_totals
            WHERE board_id = f.board_id AND period = f.period AND season = f.season AND user_id = f.user_id
            LIMIT 1
        ) AS t ON TRUE
        WHERE f.board_id = CAST(:board_id AS text)
            AND f.period = CAST(:period AS text)
            AND f.season = CAST(:season AS bigint)
            AND f.version = CAST(:version AS bigint)
            AND f.position = (low + high + 1) / 2
        LIMIT 1
    ) AS looked_at
    WHERE low < high
)

SELECT low FROM halved WHERE low = high
