-- board_seasons, season_totals: closed seasons in which these players are, on one board or on every one, are to be closed once more. The
-- row of a season that has ended is written in any case: whoever is just closing it sees that something has changed (close_season). In
-- order, so that nobody deadlocks. :user_ids text[], :board_id text ('' for every board)

UPDATE board_seasons
SET closed_at = NULL
FROM (
    SELECT board_id, period, season
    FROM board_seasons
    WHERE CAST(:board_id AS text) IN ('', board_id)
        AND (closed_at IS NOT NULL OR ends_at <= now())
        AND EXISTS (
            SELECT FROM season_totals AS total
            WHERE total.board_id = board_seasons.board_id AND total.period = board_seasons.period AND total.season = board_seasons.season
                AND total.user_id = ANY(CAST(:user_ids AS text[]))
        )
    ORDER BY board_id, period, season
    FOR NO KEY UPDATE
) AS ended
WHERE board_seasons.board_id = ended.board_id AND board_seasons.period = ended.period AND board_seasons.season = ended.season
