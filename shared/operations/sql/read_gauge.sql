-- score_history, score_entries, unrecorded_updates, audit_log, audit_seals: how they stand. Answers the newest ids of the ledger, added,
-- how many messages it did not take by their state (or null), the newest id of the audit log, the last one sealed and when, and how many
-- refusals were noted in five minutes. Of those the newest 10,000 rows are looked at: there are a few hundred a minute at most.

SELECT
    coalesce((SELECT max(id) FROM score_history), 0) + coalesce((SELECT max(id) FROM score_entries), 0),
    (
        SELECT json_object_agg(state, letters)
        FROM (SELECT state, count(*) AS letters FROM unrecorded_updates GROUP BY state) AS by_state
    ),
    coalesce((SELECT max(id) FROM audit_log), 0),
    coalesce(seal.last_id, 0),
    seal.sealed_at,
    coalesce(
        (
            SELECT sum(CAST(detail ->> 'count' AS bigint))
            FROM (
                SELECT at, detail FROM audit_log WHERE action <> 'score_accepted' ORDER BY id DESC LIMIT 10000
            ) AS recent
            WHERE at > now() - INTERVAL '5 minutes' AND detail ->> 'count' ~ '^[0-9]{1,12}$'
        ),
        0
    )
FROM (SELECT 1) AS one
LEFT JOIN (SELECT last_id, sealed_at FROM audit_seals ORDER BY seq DESC LIMIT 1) AS seal ON TRUE
