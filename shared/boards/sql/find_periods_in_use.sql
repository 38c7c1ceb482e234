-- board_seasons, season_totals: the periods of a board with entries in a season that is not closed. :board_id text

SELECT DISTINCT period
FROM board_seasons
WHERE board_id = :board_id AND closed_at IS NULL AND EXISTS (
    SELECT FROM season_totals
    WHERE season_totals.board_id = board_seasons.board_id
        AND season_totals.period = board_seasons.period
        AND season_totals.season = board_seasons.season
)
