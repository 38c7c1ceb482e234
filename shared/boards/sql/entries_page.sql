-- score_entries, moderation_entries: entries of a player on a board, newest first. :board_id :user_id text, :before_id bigint, :limit int
-- Answers id, request id, value, second, metadata, places, when it was accepted, and the strike that holds.

SELECT
    entry.id, entry.request_id, entry.value, entry.second, entry.metadata, entry.places, entry.accepted_at,
    (
        SELECT strike.id FROM moderation_entries AS strike
        WHERE strike.struck = entry.request_id
            AND NOT EXISTS (SELECT FROM moderation_entries AS undo WHERE undo.undoes = strike.id)
        LIMIT 1
    )
FROM score_entries AS entry
WHERE entry.board_id = :board_id AND entry.user_id = :user_id AND entry.id < CAST(:before_id AS bigint)
ORDER BY entry.id DESC
LIMIT CAST(:limit AS int)
