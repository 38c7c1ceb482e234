-- score_history_archive: rows of a part as lines of a file, a page in the order of ids.
-- :after :first_id :last_id bigint  :limit int
-- Answers id and line: a JSON array of id, request id, user id, increment, new score, created_at (microseconds since 1970), epoch, sequence.

SELECT
    id,
    CAST(
        jsonb_build_array(
            id, request_id, user_id, increment, new_score, CAST(extract(EPOCH FROM created_at) * 1000000 AS bigint), epoch, sequence
        ) AS text
    )
FROM score_history_archive
WHERE id > CAST(:after AS bigint) AND id BETWEEN CAST(:first_id AS bigint) AND CAST(:last_id AS bigint)
ORDER BY id
LIMIT CAST(:limit AS int)
