-- season_totals: how many players a season has. :board_id :period text, :season int

SELECT count(*) FROM season_totals WHERE board_id = :board_id AND period = :period AND season = CAST(:season AS int)
