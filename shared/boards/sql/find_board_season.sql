-- board_seasons, season_totals: what is known of a season.
-- :board_id text  :period text  :season bigint

SELECT s.season, s.version, COALESCE(s.closed_at, s.ends_at), EXISTS (
    SELECT 1 FROM season_totals AS t WHERE t.board_id = s.board_id AND t.period = s.period AND t.season = s.season
)
FROM board_seasons AS s
WHERE s.board_id = CAST(:board_id AS text)
    AND s.period = CAST(:period AS text)
    AND s.season = CAST(:season AS bigint)
