-- moderation_entries, unsettled_moderation: a decision about the score of a player; what Redis has of the player may be another one now.
-- :request_id :board_id :user_id :action :reason :moderator :struck :places ('' for none) text, :undoes (0 for none) :value :second :epoch
-- :sequence (of an adjustment) bigint
-- Answers its id and instant.

WITH decided AS (
    INSERT INTO moderation_entries (
        request_id, board_id, user_id, action, undoes, struck, value, second, places, epoch, sequence, reason, moderator
    )
    SELECT
        :request_id, :board_id, :user_id, action, nullif(CAST(:undoes AS bigint), 0), nullif(:struck, ''),
        CASE action WHEN 'adjust' THEN CAST(:value AS bigint) END, CASE action WHEN 'adjust' THEN CAST(:second AS bigint) END,
        CASE action WHEN 'adjust' THEN :places END,
        CASE action WHEN 'adjust' THEN CAST(:epoch AS bigint) END, CASE action WHEN 'adjust' THEN CAST(:sequence AS bigint) END,
        :reason, :moderator
    FROM (VALUES (CAST(:action AS text))) AS t (action)
    RETURNING id, moderated_at
),
unsettled AS (
    INSERT INTO unsettled_moderation (moderation_id) SELECT id FROM decided
)
SELECT id, moderated_at FROM decided
