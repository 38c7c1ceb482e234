-- season_totals: those of these names that have no entries in a season. :user_ids text (a JSON array), :board_id :period text, :season int
-- Answers a JSON array, or null.

SELECT json_agg(user_id)
FROM jsonb_array_elements_text(CAST(:user_ids AS jsonb)) AS wanted (user_id)
WHERE NOT EXISTS (
    SELECT FROM season_totals AS total
    WHERE total.board_id = :board_id AND total.period = :period AND total.season = CAST(:season AS int) AND total.user_id = wanted.user_id
)
