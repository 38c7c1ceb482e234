-- board_seasons: what Redis says of seasons; those that are closed stay as they are. A season that another one has followed ended then.
-- :board_ids :periods text[], :seasons int[], :starts :ends (ms, 0 for nobody knows) bigint[]

WITH told AS (
    SELECT
        board_id, period, season, to_timestamp(starts / 1000.0) AS starts_at, to_timestamp(nullif(ends, 0) / 1000.0) AS ends_at
    FROM unnest(
        CAST(:board_ids AS text[]), CAST(:periods AS text[]), CAST(:seasons AS int[]), CAST(:starts AS bigint[]), CAST(:ends AS bigint[])
    ) AS t (board_id, period, season, starts, ends)
    WHERE EXISTS (SELECT FROM boards WHERE boards.board_id = t.board_id)
)
INSERT INTO board_seasons (board_id, period, season, starts_at, ends_at)
SELECT told.*
FROM told LEFT JOIN board_seasons AS known USING (board_id, period, season)
WHERE
    known.season IS NULL
    OR (known.version = 0 AND (known.starts_at, known.ends_at) IS DISTINCT FROM (told.starts_at, told.ends_at))
ORDER BY board_id, period, season
ON CONFLICT (board_id, period, season) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at
