-- board_seasons: a season that another one has followed ended when that one began.

UPDATE board_seasons AS before
SET ends_at = following.starts_at
FROM board_seasons AS following
WHERE
    before.closed_at IS NULL
    AND following.board_id = before.board_id
    AND following.period = before.period
    AND following.season = (
        SELECT min(season) FROM board_seasons AS later
        WHERE later.board_id = before.board_id AND later.period = before.period AND later.season > before.season
    )
    AND coalesce(before.ends_at > following.starts_at, TRUE)
