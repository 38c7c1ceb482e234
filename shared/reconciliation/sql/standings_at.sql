-- season_totals, ledger_entries, unrecorded_updates, hidden_players, users: what a season should have said of these users when it was at a
-- number.
-- :user_ids text (a JSON array)  :board_id :period :operator text, :season :sign int (1 where more is better, -1 where less is)
-- :epoch :sequence bigint
-- Answers of each user: score, second, epoch and sequence of the entry that made the score, null for one without entries; whether an
-- entry of theirs waits that may be on the board and is not in the ledger; whether they are hidden on the board.

WITH wanted AS (
    SELECT user_id FROM jsonb_array_elements_text(CAST(:user_ids AS jsonb)) AS t (user_id)
),
totals AS (
    SELECT
        total.*, (newest_epoch, newest_sequence) > (CAST(:epoch AS bigint), CAST(:sequence AS bigint)) AS is_later
    FROM wanted JOIN season_totals AS total USING (user_id)
    WHERE board_id = :board_id AND period = :period AND season = CAST(:season AS int)
),
-- Who has entered since: from the entries that count.
counting AS (
    SELECT
        user_id, entry.epoch, entry.sequence, entry.turn, entry.value, entry.second,
        CASE :operator
            WHEN 'add' THEN (entry.value, entry.second) <> (0, 0) OR row_number() OVER entries = 1
            WHEN 'latest' THEN (entry.value, entry.second)
                IS DISTINCT FROM (lag(entry.value) OVER entries, lag(entry.second) OVER entries)
        END AS changes
    FROM totals JOIN ledger_entries AS entry USING (user_id)
    WHERE is_later
        AND entry.board_id = :board_id
        AND entry.counts
        AND (entry.epoch, entry.sequence) <= (CAST(:epoch AS bigint), CAST(:sequence AS bigint))
        AND position('|' || totals.period || ':' || totals.season || ':' IN '|' || entry.places) > 0
    WINDOW entries AS (PARTITION BY user_id ORDER BY entry.epoch, entry.sequence, entry.turn)
),
ordered AS (
    SELECT
        user_id, epoch, sequence,
        CASE :operator WHEN 'add' THEN sum(value) OVER players WHEN 'latest' THEN first_value(value) OVER newest ELSE value END AS score,
        CASE :operator WHEN 'add' THEN sum(second) OVER players WHEN 'latest' THEN first_value(second) OVER newest ELSE second END
            AS second,
        row_number() OVER (
            PARTITION BY user_id
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
        players AS (PARTITION BY user_id),
        newest AS (PARTITION BY user_id ORDER BY epoch DESC, sequence DESC, turn DESC)
),
standings AS (
    SELECT user_id, score, second, epoch, sequence FROM totals WHERE NOT is_later
    UNION ALL
    SELECT user_id, score, second, epoch, sequence FROM ordered WHERE place = 1
)
SELECT
    user_id, CAST(score AS bigint), CAST(second AS bigint), epoch, sequence,
    EXISTS (
        SELECT FROM unrecorded_updates AS letter
        WHERE letter.user_id = wanted.user_id
            AND letter.increment IS NULL
            AND letter.state <> 'discarded'
            AND (letter.epoch IS NULL OR (letter.epoch, letter.sequence) <= (CAST(:epoch AS bigint), CAST(:sequence AS bigint)))
            AND NOT EXISTS (SELECT FROM score_entries AS entry WHERE entry.request_id = letter.request_id)
    ),
    EXISTS (SELECT FROM hidden_on(CAST(:board_id AS text)) AS hidden WHERE hidden.user_id = wanted.user_id)
FROM wanted LEFT JOIN standings USING (user_id)
