-- users, score_totals: those of these names that do not belong on the board. :user_ids text (a JSON array)
-- Answers a JSON array, or null.

SELECT json_agg(user_id)
FROM jsonb_array_elements_text(CAST(:user_ids AS jsonb)) AS wanted (user_id)
WHERE NOT EXISTS (
    SELECT FROM users
    WHERE users.user_id = wanted.user_id
        AND (role = 'player' OR EXISTS (SELECT FROM score_totals WHERE score_totals.user_id = wanted.user_id))
)
