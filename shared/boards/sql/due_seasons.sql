-- board_seasons, boards: seasons that have ended and are not closed, or were changed by a late entry, oldest first, of the boards of a
-- shard that stay there. :shard text  :now bigint (ms)
-- By the clock here, too: a late entry sees by it that its season has ended (record_entries).
-- Answers board, period, number, and what the board says of order and ties.

SELECT board_id, period, season, definition ->> 'order', definition ->> 'ties'
FROM board_seasons JOIN boards USING (board_id)
WHERE shard = :shard AND moving_to IS NULL AND closed_at IS NULL AND ends_at <= least(to_timestamp(CAST(:now AS bigint) / 1000.0), now())
ORDER BY ends_at, board_id, period, season
