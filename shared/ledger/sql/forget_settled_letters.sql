-- unrecorded_updates, kept_history, score_entries, repeated_updates: messages that are settled, of these :ids bigint[] or :request_ids text[] (null
-- for all): the ledger has the update, by its number where both have one, or knows that it does not count. Also messages that could
-- not be opened, by their :digests text[]: they were opened now. What was discarded stays. Answers the ids.

DELETE FROM unrecorded_updates AS letter
WHERE state <> 'discarded'
    AND (
        (
            (CAST(:ids AS bigint[]) IS NULL OR id = ANY(CAST(:ids AS bigint[])))
            AND (CAST(:request_ids AS text[]) IS NULL OR request_id = ANY(CAST(:request_ids AS text[])))
            AND (
                EXISTS (
                    SELECT FROM kept_history
                    WHERE kept_history.request_id = letter.request_id
                        AND (kept_history.epoch IS NULL OR letter.epoch IS NULL)
                )
                OR EXISTS (
                    SELECT FROM kept_history
                    WHERE kept_history.epoch = letter.epoch AND kept_history.sequence = letter.sequence
                )
                OR EXISTS (
                    SELECT FROM score_entries
                    WHERE score_entries.epoch = letter.epoch AND score_entries.sequence = letter.sequence
                )
                OR EXISTS (
                    SELECT FROM repeated_updates
                    WHERE repeated_updates.epoch = letter.epoch AND repeated_updates.sequence = letter.sequence
                )
            )
        )
        OR (request_id IS NULL AND letter_key = ANY(CAST(:digests AS text[])))
    )
RETURNING id
