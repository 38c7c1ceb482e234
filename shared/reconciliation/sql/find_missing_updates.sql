-- audit_log, score_history: points of these players that were recorded once and are not in the ledger now.
-- :user_ids :increments text[], by how much an update may change a score
-- Answers user id and points.

SELECT user_id, sum(increment)
FROM missing_updates(CAST(:user_ids AS text[]), CAST(:increments AS text[]))
GROUP BY user_id
