-- final_ranks, hidden_players, users: the rows of players, without who is hidden on the board.
-- :board_id text  :period text  :season bigint  :version bigint  :user_ids text[]

SELECT f.position, f.rank, f.user_id, f.score, f.second
FROM final_ranks AS f
WHERE f.board_id = CAST(:board_id AS text)
    AND f.period = CAST(:period AS text)
    AND f.season = CAST(:season AS bigint)
    AND f.version = CAST(:version AS bigint)
    AND f.user_id = ANY(CAST(:user_ids AS text[]))
    AND NOT EXISTS (SELECT FROM hidden_on(CAST(:board_id AS text)) AS hidden WHERE hidden.user_id = f.user_id)
ORDER BY f.position
