-- moderation_entries, ledger_entries: a decision about a player on a board. :board_id text, :id bigint
-- Answers user id, action, places and value of the adjustment or of the entry that was struck, null for other decisions, and whether it was
-- undone.

SELECT
    decision.user_id, decision.action, coalesce(decision.places, entry.places), coalesce(decision.value, entry.value),
    EXISTS (SELECT FROM moderation_entries AS undo WHERE undo.undoes = decision.id)
FROM moderation_entries AS decision
LEFT JOIN ledger_entries AS entry ON entry.request_id = decision.struck AND entry.board_id = decision.board_id AND entry.turn = 0
WHERE decision.id = CAST(:id AS bigint) AND decision.board_id = :board_id
