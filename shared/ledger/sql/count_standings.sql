-- season_totals, ledger_entries: what counts of a player in some seasons, counted anew; who has nothing left has no row.
-- After their rows were written or held (hold_standings), and as a statement of its own, which sees all that others had added by then.
-- :board_id :user_id :operator text, :periods text[], :seasons int[], :sign int (1 where more is better, -1 where less is)
-- Answers period, season, score, second, epoch and sequence, null where nothing is left; in their order.

WITH wanted AS (
    SELECT period, season FROM unnest(CAST(:periods AS text[]), CAST(:seasons AS int[])) AS t (period, season)
),
counting AS (
    SELECT
        wanted.period, wanted.season, entry.request_id, entry.epoch, entry.sequence, entry.turn, entry.value, entry.second,
        CASE :operator
            WHEN 'add' THEN (entry.value, entry.second) <> (0, 0) OR row_number() OVER entries = 1
            WHEN 'latest' THEN (entry.value, entry.second)
                IS DISTINCT FROM (lag(entry.value) OVER entries, lag(entry.second) OVER entries)
        END AS changes
    FROM wanted JOIN ledger_entries AS entry ON position('|' || wanted.period || ':' || wanted.season || ':' IN '|' || entry.places) > 0
    WHERE entry.board_id = :board_id AND entry.user_id = :user_id AND entry.counts
    WINDOW entries AS (PARTITION BY wanted.period, wanted.season ORDER BY entry.epoch, entry.sequence, entry.turn)
),
ordered AS (
    SELECT
        period, season, request_id, epoch, sequence,
        CASE :operator WHEN 'add' THEN sum(value) OVER players WHEN 'latest' THEN first_value(value) OVER newest ELSE value END AS score,
        CASE :operator WHEN 'add' THEN sum(second) OVER players WHEN 'latest' THEN first_value(second) OVER newest ELSE second END
            AS second,
        first_value(epoch) OVER newest AS newest_epoch,
        first_value(sequence) OVER newest AS newest_sequence,
        row_number() OVER (
            PARTITION BY period, season
            ORDER BY
                changes DESC,
                CASE :operator WHEN 'best' THEN CAST(:sign AS int) * value END DESC,
                CASE :operator WHEN 'best' THEN CAST(:sign AS int) * second END DESC,
                CASE :operator WHEN 'best' THEN -epoch ELSE epoch END DESC,
                CASE :operator WHEN 'best' THEN -sequence ELSE sequence END DESC,
                turn DESC
        ) AS place
    FROM counting
    WINDOW
        players AS (PARTITION BY period, season),
        newest AS (PARTITION BY period, season ORDER BY epoch DESC, sequence DESC, turn DESC)
),
standing AS (
    SELECT * FROM ordered WHERE place = 1
),
counted AS (
    UPDATE season_totals AS total
    SET score = standing.score, second = standing.second, epoch = standing.epoch, sequence = standing.sequence,
        request_id = standing.request_id,
        newest_epoch = standing.newest_epoch, newest_sequence = standing.newest_sequence
    FROM standing
    WHERE total.board_id = :board_id AND total.user_id = :user_id AND total.period = standing.period AND total.season = standing.season
),
gone AS (
    DELETE FROM season_totals AS total
    USING wanted
    WHERE total.board_id = :board_id AND total.user_id = :user_id AND total.period = wanted.period AND total.season = wanted.season
        AND NOT EXISTS (SELECT FROM standing WHERE standing.period = wanted.period AND standing.season = wanted.season)
)
SELECT wanted.period, wanted.season, CAST(score AS bigint), CAST(second AS bigint), epoch, sequence
FROM wanted LEFT JOIN standing USING (period, season)
ORDER BY wanted.period, wanted.season
