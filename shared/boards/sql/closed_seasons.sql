-- board_seasons: which of these are closed. :board_id text, :periods text[], :seasons int[]

SELECT period, season
FROM board_seasons JOIN unnest(CAST(:periods AS text[]), CAST(:seasons AS int[])) AS wanted (period, season) USING (period, season)
WHERE board_id = :board_id AND closed_at IS NOT NULL
