-- hidden_players, moderation_entries: have players be hidden on a board as the newest decision says that was not undone.
-- :user_ids text[], :board_id text ('' for every board). Answers who was not so before.

WITH newest AS (
    SELECT DISTINCT ON (user_id) user_id, action
    FROM moderation_entries AS entry
    WHERE user_id = ANY(CAST(:user_ids AS text[]))
        AND board_id IS NOT DISTINCT FROM nullif(CAST(:board_id AS text), '')
        AND action IN ('hide', 'show')
        AND NOT EXISTS (SELECT FROM moderation_entries AS undo WHERE undo.undoes = entry.id)
    ORDER BY user_id, id DESC
),
hidden AS (
    INSERT INTO hidden_players (board_id, user_id)
    SELECT CAST(:board_id AS text), user_id FROM newest WHERE action = 'hide'
    ON CONFLICT DO NOTHING
    RETURNING user_id
),
shown AS (
    DELETE FROM hidden_players AS before
    WHERE before.board_id = CAST(:board_id AS text)
        AND before.user_id = ANY(CAST(:user_ids AS text[]))
        AND NOT EXISTS (SELECT FROM newest WHERE newest.user_id = before.user_id AND newest.action = 'hide')
    RETURNING user_id
)
SELECT user_id FROM hidden UNION ALL SELECT user_id FROM shown
