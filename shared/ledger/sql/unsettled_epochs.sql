-- number_epochs, score_history, score_entries, unrecorded_updates: epochs of a shard in which not every number is known to be accounted for.
-- :shard text; :epoch :sequence bigint, the number up to which is asked; :on_board boolean, only numbers whose points Redis has not lost since
-- Answers epoch, the number up to which it is settled, and the last one: the one asked for in its own epoch; in an earlier one how
-- far Redis had counted, or, until count_lost.sql has seen to the rest, the highest number that arrived.

SELECT epoch, settled, last
FROM number_epochs
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN epoch = CAST(:epoch AS bigint) THEN CAST(:sequence AS bigint)
            WHEN CAST(:on_board AS boolean) OR lost IS NOT NULL THEN last_sequence
            ELSE greatest(
                last_sequence,
                (SELECT max(sequence) FROM score_history WHERE score_history.epoch = number_epochs.epoch),
                (SELECT max(sequence) FROM score_entries WHERE score_entries.epoch = number_epochs.epoch),
                (SELECT max(sequence) FROM unrecorded_updates WHERE unrecorded_updates.epoch = number_epochs.epoch)
            )
        END AS last
) AS counted
WHERE board = :shard AND epoch <= CAST(:epoch AS bigint) AND settled < last
ORDER BY epoch
