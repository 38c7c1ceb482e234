-- users, score_totals, score_history, moderation_entries, unrecorded_updates: what the board should have said of these users when it was at a number.
-- :user_ids text (a JSON array), :epoch :sequence bigint; an update without a number was accepted before.
-- Answers a JSON object of points by user id, or null; those who do not belong on the board are left out.

WITH waiting AS (
    SELECT user_id, sum(increment) AS points
    FROM waiting_updates()
    WHERE epoch IS NULL OR (epoch, sequence) <= (CAST(:epoch AS bigint), CAST(:sequence AS bigint))
    GROUP BY user_id
),
later AS (
    SELECT user_id, sum(increment) AS points
    FROM score_history
    WHERE epoch IS NOT NULL AND (epoch, sequence) > (CAST(:epoch AS bigint), CAST(:sequence AS bigint))
        -- What is struck out is in no total.
        AND NOT EXISTS (
            SELECT FROM moderation_entries AS strike
            WHERE strike.struck = score_history.request_id
                AND NOT EXISTS (SELECT FROM moderation_entries AS undo WHERE undo.undoes = strike.id)
        )
    GROUP BY user_id
),
totals AS (
    SELECT
        user_id,
        (SELECT role FROM users WHERE users.user_id = wanted.user_id) AS role,
        (SELECT total FROM score_totals WHERE score_totals.user_id = wanted.user_id) AS total
    FROM jsonb_array_elements_text(CAST(:user_ids AS jsonb)) AS wanted (user_id)
)
SELECT json_object_agg(user_id, coalesce(total, 0) + coalesce(waiting.points, 0) - coalesce(later.points, 0))
FROM totals LEFT JOIN waiting USING (user_id) LEFT JOIN later USING (user_id)
WHERE role = 'player' OR total IS NOT NULL
