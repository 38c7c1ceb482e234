-- board_seasons: a season is closed, unless its row is another one than was seen. :board_id :period :seen text, :season :version int
-- Answers a row when it is.

UPDATE board_seasons
SET closed_at = now(), version = CAST(:version AS int)
WHERE
    board_id = :board_id AND period = :period AND season = CAST(:season AS int)
    AND closed_at IS NULL AND xmin = CAST(CAST(:seen AS text) AS xid)
RETURNING version
