-- hidden_players, users, score_totals: who of these users is hidden on which of these boards. :board_ids :user_ids text (JSON arrays)
-- On `main` stand players, and whoever has points.
-- Answers a JSON object of arrays by board id, without boards on which nobody is hidden; or null.

SELECT json_object_agg(board_id, user_ids)
FROM (
    SELECT board_id, json_agg(DISTINCT hidden.user_id) AS user_ids
    FROM jsonb_array_elements_text(CAST(:board_ids AS jsonb)) AS boards (board_id)
    CROSS JOIN LATERAL hidden_on(boards.board_id) AS hidden
    WHERE hidden.user_id IN (SELECT wanted FROM jsonb_array_elements_text(CAST(:user_ids AS jsonb)) AS names (wanted))
        AND (
            boards.board_id <> 'main'
            OR EXISTS (SELECT FROM users WHERE users.user_id = hidden.user_id AND users.role = 'player')
            OR EXISTS (SELECT FROM score_totals WHERE score_totals.user_id = hidden.user_id)
        )
    GROUP BY board_id
) AS found
