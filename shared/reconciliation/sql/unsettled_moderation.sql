-- unsettled_moderation, moderation_entries: decisions that Redis may not show yet, the oldest first. :user_id text ('' for all), :limit int
-- Answers id, board and user id.

SELECT moderation_id, board_id, user_id
FROM unsettled_moderation JOIN moderation_entries ON moderation_entries.id = moderation_id
WHERE :user_id IN ('', user_id)
ORDER BY moderation_id
LIMIT CAST(:limit AS int)
