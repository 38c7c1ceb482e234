-- ledger_entries: the entry with a request id on a board. :board_id :request_id text
-- Answers user id, places, value, and whether it counts.

SELECT user_id, places, value, counts
FROM ledger_entries
WHERE request_id = :request_id AND board_id = :board_id AND turn = 0
