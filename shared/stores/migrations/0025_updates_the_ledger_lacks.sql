-- missing_updates(user_ids, increments): updates of these players that the audit log says were recorded, by one of these increments, and
-- that the ledger has no more; of rows with the same request id the first one.
-- waiting_updates(): updates that the ledger did not take and that were not discarded.
--
-- Both are functions, not views: the planner puts their text into each statement, and who calls one needs the rights to its tables.

CREATE FUNCTION missing_updates(user_ids text[], increments text[])
RETURNS TABLE (id bigint, request_id varchar, user_id varchar, at timestamptz, increment int, new_score int, detail jsonb)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT DISTINCT ON (recorded.request_id)
        recorded.id, recorded.request_id, recorded.user_id, recorded.at,
        CAST(recorded.detail ->> 'increment' AS int),
        CAST(recorded.detail ->> 'newScore' AS int),
        recorded.detail
    FROM audit_log AS recorded
    WHERE recorded.user_id = ANY(missing_updates.user_ids)
        AND recorded.action = 'score_accepted'
        -- A row that says something else is none of record_updates.sql.
        AND recorded.detail ->> 'increment' = ANY(missing_updates.increments)
        AND CASE
            WHEN recorded.detail ->> 'newScore' ~ '^[0-9]{1,10}$' THEN CAST(recorded.detail ->> 'newScore' AS bigint) <= 2147483647
        END
        AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = recorded.request_id)
    ORDER BY recorded.request_id, recorded.id
$$;

CREATE FUNCTION waiting_updates()
RETURNS TABLE (user_id varchar, increment int, epoch bigint, sequence bigint)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT letter.user_id, letter.increment, letter.epoch, letter.sequence
    FROM unrecorded_updates AS letter
    WHERE letter.state <> 'discarded'
        AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = letter.request_id)
$$;
