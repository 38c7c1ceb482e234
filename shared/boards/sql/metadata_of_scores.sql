-- season_totals, score_entries: of these players in a season, those whose score was made by an entry with metadata.
-- :board_id :period text, :season int, :user_ids text[]
-- Answers user id, epoch and sequence of the entry, and its metadata.

SELECT total.user_id, total.epoch, total.sequence, entry.metadata
FROM season_totals AS total JOIN score_entries AS entry USING (request_id)
WHERE total.board_id = :board_id
    AND total.period = :period
    AND total.season = CAST(:season AS int)
    AND total.user_id = ANY(CAST(:user_ids AS text[]))
    AND entry.metadata IS NOT NULL
