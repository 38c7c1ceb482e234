-- score_history_archive: updates of a player, newest first. :user_id text  :before_id bigint  :limit int

SELECT id, request_id, user_id, increment, new_score, created_at
FROM score_history_archive
WHERE user_id = :user_id AND id < CAST(:before_id AS bigint)
ORDER BY id DESC
LIMIT CAST(:limit AS int)
