-- board_seasons, final_ranks: seasons of a board, newest first, behind a place. :board_id text, :period text ('' for all)
-- :starts bigint :after text :number bigint: the place, minus a start (ms), a period, minus a number; :limit int
-- Answers period, number, start and end (ms, null where nobody knows), version, and how many players are in that.

SELECT
    period, season, -place, CAST(round(extract(epoch FROM ends_at) * 1000) AS bigint), version,
    (
        SELECT coalesce(max(position), 0) FROM final_ranks AS ranks
        WHERE
            ranks.board_id = page.board_id AND ranks.period = page.period AND ranks.season = page.season AND ranks.version = page.version
    )
FROM (
    SELECT *
    FROM (
        SELECT *, -CAST(round(extract(epoch FROM starts_at) * 1000) AS bigint) AS place, CAST(period AS text) COLLATE "C" AS name
        FROM board_seasons
        WHERE board_id = CAST(:board_id AS text) AND CAST(:period AS text) IN ('', period)
    ) AS placed
    WHERE (place, name, -season) > (CAST(:starts AS bigint), CAST(:after AS text), CAST(:number AS bigint))
    ORDER BY place, name, season DESC
    LIMIT CAST(:limit AS int)
) AS page
ORDER BY place, name, season DESC
