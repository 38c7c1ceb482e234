-- moderation_entries: one decision. :id bigint. As moderation_page answers it.

SELECT
    entry.id, coalesce(entry.board_id, '*'), entry.user_id, entry.action, entry.reason, entry.moderator, entry.moderated_at, entry.undoes,
    (SELECT undo.id FROM moderation_entries AS undo WHERE undo.undoes = entry.id),
    entry.struck, entry.value, entry.second
FROM moderation_entries AS entry
WHERE entry.id = CAST(:id AS bigint)
