-- score_history, score_entries: whose updates were recorded last, and when they were accepted. :limit int, of each table

(SELECT user_id, created_at AT TIME ZONE 'UTC' FROM score_history ORDER BY id DESC LIMIT CAST(:limit AS int))
UNION ALL
(SELECT user_id, accepted_at FROM score_entries ORDER BY id DESC LIMIT CAST(:limit AS int))
