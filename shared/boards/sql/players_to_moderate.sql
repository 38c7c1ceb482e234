-- users, hidden_players: players who would be hidden on a board by a decision, or shown again. :board_id text ('' for every board)
-- :user_ids text (a JSON array, or null for all players of simulations), :hides boolean (null for all of them), :limit int
-- Answers id, username and display name of each, in the order of ids.

SELECT user_id, username, display_name
FROM users
WHERE CASE
        WHEN CAST(:user_ids AS jsonb) IS NULL THEN simulated
        ELSE user_id IN (SELECT wanted FROM jsonb_array_elements_text(CAST(:user_ids AS jsonb)) AS names (wanted))
    END
    AND coalesce(
        CAST(:hides AS boolean) <> EXISTS (
            SELECT FROM hidden_players AS hidden WHERE hidden.user_id = users.user_id AND hidden.board_id = CAST(:board_id AS text)
        ),
        TRUE
    )
ORDER BY user_id
LIMIT CAST(:limit AS int)
