-- score_entries: who entered on which board, from a page of entries. :after bigint, the id where the page before ended; :page int
-- Answers a JSON object of arrays of user ids by board, and the id where this page ends; null twice after the last.

WITH page AS (
    SELECT id, board_id, user_id FROM score_entries WHERE id > CAST(:after AS bigint) ORDER BY id LIMIT CAST(:page AS int)
)
SELECT (SELECT json_object_agg(board_id, user_ids) FROM (
    SELECT board_id, json_agg(DISTINCT user_id) AS user_ids FROM page GROUP BY board_id
) AS by_board), (SELECT max(id) FROM page)
