-- board_seasons: seasons in which a score is moderated. A closed one is to be closed once more, and whoever is just closing one sees that
-- something came (close_season). Before season_totals, and in order, as record_entries does, so that nobody deadlocks.
-- :board_id text, :periods text[], :seasons int[]

WITH held AS (
    SELECT board_seasons.board_id, board_seasons.period, board_seasons.season
    FROM unnest(CAST(:periods AS text[]), CAST(:seasons AS int[])) AS wanted (period, season)
    JOIN board_seasons ON board_seasons.board_id = :board_id
        AND board_seasons.period = wanted.period AND board_seasons.season = wanted.season
    ORDER BY board_seasons.board_id, board_seasons.period, board_seasons.season
    FOR NO KEY UPDATE OF board_seasons
)
UPDATE board_seasons
SET closed_at = NULL
FROM held
WHERE board_seasons.board_id = held.board_id AND board_seasons.period = held.period AND board_seasons.season = held.season
