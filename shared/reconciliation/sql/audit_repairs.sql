-- audit_log: one row for each player whose place on the board is repaired. :user_ids :details text[] (JSON)

INSERT INTO audit_log (action, actor, user_id, detail)
SELECT 'score_repaired', 'reconcile_scores', user_id, CAST(detail AS jsonb)
FROM unnest(CAST(:user_ids AS text[]), CAST(:details AS text[])) AS t (user_id, detail)
