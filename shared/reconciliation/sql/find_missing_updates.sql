-- audit_log, score_history: points of these players that were recorded once and are not in the ledger now. :user_ids text[]

SELECT user_id, sum(increment)
FROM (
    SELECT DISTINCT request_id, user_id, CAST(detail ->> 'increment' AS int) AS increment
    FROM audit_log
    WHERE user_id = ANY(CAST(:user_ids AS text[]))
        AND action = 'score_accepted'
        AND detail ->> 'increment' ~ '^[1-5]$' -- a row that says something else is none of record_updates.sql
        AND CASE WHEN detail ->> 'newScore' ~ '^[0-9]{1,10}$' THEN CAST(detail ->> 'newScore' AS bigint) <= 2147483647 END
        AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = audit_log.request_id)
) AS missing
GROUP BY user_id
