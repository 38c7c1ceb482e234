-- board_seasons: the version that closing a season makes, and which state of its row that follows: every late entry makes another one
-- (record_entries). No rows when it is closed. :board_id :period text, :season int

SELECT version + 1, CAST(xmin AS text)
FROM board_seasons
WHERE board_id = :board_id AND period = :period AND season = CAST(:season AS int) AND closed_at IS NULL
