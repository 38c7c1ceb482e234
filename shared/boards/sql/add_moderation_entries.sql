-- moderation_entries, audit_log: a decision about each of some players. :request_ids :user_ids text[], :board_id text ('' for every board)
-- :action :reason :moderator :audited :source_ip :request_id text (the last two may be null), :undoes bigint (0 for none)
-- Answers id, user id and instant of each, in the order of user ids.

WITH decided AS (
    INSERT INTO moderation_entries (request_id, board_id, user_id, action, undoes, reason, moderator)
    SELECT
        request_id, nullif(CAST(:board_id AS text), ''), user_id, CAST(:action AS text), nullif(CAST(:undoes AS bigint), 0), CAST(:reason AS text),
        CAST(:moderator AS text)
    FROM unnest(CAST(:request_ids AS text[]), CAST(:user_ids AS text[])) AS t (request_id, user_id)
    ORDER BY user_id
    RETURNING id, user_id, moderated_at
),
audited AS (
    INSERT INTO audit_log (action, actor, user_id, request_id, source_ip, detail)
    SELECT
        CAST(:audited AS text), CAST(:moderator AS text), user_id, CAST(:request_id AS text), CAST(:source_ip AS text),
        jsonb_strip_nulls(
            jsonb_build_object(
                'board', coalesce(nullif(CAST(:board_id AS text), ''), '*'), 'entry', id, 'reason', CAST(:reason AS text),
                'undoes', nullif(CAST(:undoes AS bigint), 0)
            )
        )
    FROM decided
    ORDER BY user_id
)
SELECT id, user_id, moderated_at FROM decided ORDER BY user_id
