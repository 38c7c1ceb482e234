-- season_totals: whether there are entries in one of these seasons. :board_id text, :periods text[], :seasons int[]

SELECT EXISTS (
    SELECT
    FROM unnest(CAST(:periods AS text[]), CAST(:seasons AS int[])) AS wanted (period, season)
    WHERE EXISTS (
        SELECT FROM season_totals AS total
        WHERE total.board_id = :board_id AND total.period = wanted.period AND total.season = wanted.season
    )
)
