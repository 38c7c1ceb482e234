-- season_totals: the rows of a player in some seasons, made where there are none, which nobody else may change before the transaction ends:
-- a batch with entries of this player waits, and adds to what is there by then. In order, so that nobody deadlocks.
-- :board_id :user_id text, :periods text[], :seasons int[]
-- Answers period, season, score, second, epoch, sequence, and the request id of what made the score, '' where there was none.

INSERT INTO season_totals AS total (
    board_id, period, season, user_id, score, second, epoch, sequence, request_id, newest_epoch, newest_sequence
)
SELECT :board_id, period, season, :user_id, 0, 0, 0, 0, '', 0, 0
FROM unnest(CAST(:periods AS text[]), CAST(:seasons AS int[])) AS wanted (period, season)
ORDER BY period, season
ON CONFLICT (board_id, period, season, user_id) DO UPDATE SET score = total.score
RETURNING period, season, score, second, epoch, sequence, request_id
