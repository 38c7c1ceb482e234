-- Moderation of scores: entries that are struck out, and adjustments.
-- moderation_entries, of an `adjust`:
--   epoch, sequence  where it stands among the entries: right after the one that has this number, which is the newest that had been
--                    accepted anywhere
-- unsettled_moderation: decisions whose player Redis may not show as the ledger has it. Gone when it does.
-- ledger_entries: what scores are made of, one shape for all of it: updates of `main`, entries of other boards, adjustments.
--   turn       orders those with one number: 0, of an adjustment its id
--   places     what it counts in, each `period:season:` and more, separated by |
--   counts     false for an entry that is struck out, and for an adjustment that was undone

ALTER TABLE moderation_entries
    ADD COLUMN epoch BIGINT,
    ADD COLUMN sequence BIGINT,
    ADD CHECK ((action = 'strike') = (struck IS NOT NULL)),
    ADD CHECK ((action = 'adjust') = (value IS NOT NULL AND second IS NOT NULL AND places IS NOT NULL)),
    ADD CHECK ((action = 'adjust') = (epoch IS NOT NULL AND sequence IS NOT NULL));
CREATE INDEX moderation_entries_struck_idx ON moderation_entries (struck) WHERE struck IS NOT NULL;
CREATE INDEX moderation_entries_adjusted_idx ON moderation_entries (board_id, user_id) WHERE action = 'adjust';

CREATE TABLE unsettled_moderation (
    moderation_id BIGINT PRIMARY KEY REFERENCES moderation_entries (id)
);

CREATE VIEW ledger_entries (board_id, user_id, request_id, value, second, places, epoch, sequence, turn, accepted_at, counts) AS
SELECT
    CAST('main' AS VARCHAR(40)), entry.user_id, entry.request_id, CAST(entry.increment AS BIGINT), CAST(0 AS BIGINT),
    CAST('all_time:1:' AS TEXT), entry.epoch, entry.sequence, CAST(0 AS BIGINT), entry.created_at AT TIME ZONE 'UTC',
    NOT EXISTS (
        SELECT FROM moderation_entries AS strike
        WHERE strike.struck = entry.request_id
            AND NOT EXISTS (SELECT FROM moderation_entries AS undo WHERE undo.undoes = strike.id)
    )
FROM score_history AS entry
UNION ALL
SELECT
    entry.board_id, entry.user_id, entry.request_id, entry.value, entry.second,
    entry.places, entry.epoch, entry.sequence, CAST(0 AS BIGINT), entry.accepted_at,
    NOT EXISTS (
        SELECT FROM moderation_entries AS strike
        WHERE strike.struck = entry.request_id
            AND NOT EXISTS (SELECT FROM moderation_entries AS undo WHERE undo.undoes = strike.id)
    )
FROM score_entries AS entry
UNION ALL
SELECT
    adjustment.board_id, adjustment.user_id, adjustment.request_id, adjustment.value, adjustment.second,
    replace(adjustment.places, '|', ':|') || ':', adjustment.epoch, adjustment.sequence, adjustment.id, adjustment.moderated_at,
    NOT EXISTS (SELECT FROM moderation_entries AS undo WHERE undo.undoes = adjustment.id)
FROM moderation_entries AS adjustment
WHERE adjustment.action = 'adjust';
