-- final_ranks, hidden_players, users: rows after one position up to another, in their order, without who is hidden on the board, and
-- without those whose score a later entry made; whose entries were all struck out since is still in the versions before.
-- :board_id text  :period text  :season bigint  :version bigint  :position bigint  :last bigint  :epoch bigint  :sequence bigint
-- :limit int

SELECT f.position, f.rank, f.user_id, f.score, f.second
FROM final_ranks AS f
LEFT JOIN season_totals AS t ON t.board_id = f.board_id AND t.period = f.period AND t.season = f.season AND t.user_id = f.user_id
WHERE f.board_id = CAST(:board_id AS text)
    AND f.period = CAST(:period AS text)
    AND f.season = CAST(:season AS bigint)
    AND f.version = CAST(:version AS bigint)
    AND f.position > CAST(:position AS bigint)
    AND f.position <= CAST(:last AS bigint)
    AND (COALESCE(t.epoch, 0), COALESCE(t.sequence, 0)) <= (CAST(:epoch AS bigint), CAST(:sequence AS bigint))
    AND NOT EXISTS (SELECT FROM hidden_on(CAST(:board_id AS text)) AS hidden WHERE hidden.user_id = f.user_id)
ORDER BY f.position
LIMIT CAST(:limit AS int)
