-- users, hidden_players: what the update path needs to know of these users. :user_ids text[]

SELECT
    user_id, username, role, api_key, disabled, display_name,
    coalesce(
        (
            SELECT string_agg(CASE hidden.board_id WHEN '' THEN '*' ELSE hidden.board_id END, ' ' ORDER BY hidden.board_id)
            FROM hidden_players AS hidden
            WHERE hidden.user_id = users.user_id
        ),
        ''
    )
FROM users
WHERE user_id = ANY(CAST(:user_ids AS text[]))
