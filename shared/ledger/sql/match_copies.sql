-- unrecorded_updates, kept_history, score_entries: what is known of messages among the dead letters of the broker.
-- :copies text (a JSON array of {digest, request_id or null})
-- Answers for each, in the order of the array: key and state of the message it is a copy of, or nulls; whether the ledger has it.

SELECT
    known.letter_key, known.state,
    (
        EXISTS (SELECT FROM kept_history WHERE kept_history.request_id = copy.request_id)
        OR EXISTS (SELECT FROM score_entries WHERE score_entries.request_id = copy.request_id)
    ) AND NOT coalesce(known.is_digest, FALSE)
FROM jsonb_array_elements(CAST(:copies AS jsonb)) WITH ORDINALITY AS element (content, number)
CROSS JOIN LATERAL (SELECT content ->> 'digest' AS digest, content ->> 'request_id' AS request_id) AS copy
LEFT JOIN LATERAL (
    SELECT letter_key, state, request_id IS NULL AS is_digest
    FROM unrecorded_updates
    WHERE unrecorded_updates.digest = copy.digest OR unrecorded_updates.request_id = copy.request_id
    ORDER BY unrecorded_updates.digest = copy.digest DESC NULLS LAST
    LIMIT 1
) AS known ON TRUE
ORDER BY number
