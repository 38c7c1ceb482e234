-- number_epochs, score_history, score_entries, unrecorded_updates, repeated_updates: how many numbers of a shard's epochs before this one were given out above
-- what Redis has counted since, and never arrived. :shard text  :epoch bigint
-- Answers each epoch of which it was not known, and how many.

UPDATE number_epochs
SET lost = (
    SELECT coalesce(max(sequence) - greatest(last_sequence, settled) - count(DISTINCT sequence), 0)
    FROM (
        SELECT epoch, sequence FROM score_history
        UNION ALL SELECT epoch, sequence FROM score_entries
        UNION ALL SELECT epoch, sequence FROM unrecorded_updates
        UNION ALL SELECT epoch, sequence FROM repeated_updates
    ) AS arrived
    WHERE arrived.epoch = number_epochs.epoch AND arrived.sequence > greatest(last_sequence, settled)
)
WHERE board = :shard AND epoch < CAST(:epoch AS bigint) AND lost IS NULL
RETURNING epoch, lost
