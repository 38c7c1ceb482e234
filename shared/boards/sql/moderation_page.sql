-- moderation_entries: decisions about a board, or about every one, newest first. :board_id text ('' for all decisions)
-- :user_id text ('' for any)  :before_id bigint  :limit int

SELECT
    entry.id, coalesce(entry.board_id, '*'), entry.user_id, entry.action, entry.reason, entry.moderator, entry.moderated_at, entry.undoes,
    (SELECT undo.id FROM moderation_entries AS undo WHERE undo.undoes = entry.id),
    entry.struck, entry.value, entry.second
FROM moderation_entries AS entry
WHERE (CAST(:board_id AS text) = '' OR entry.board_id IS NULL OR entry.board_id = CAST(:board_id AS text))
    AND CAST(:user_id AS text) IN ('', entry.user_id)
    AND entry.id < CAST(:before_id AS bigint)
ORDER BY entry.id DESC
LIMIT CAST(:limit AS int)
