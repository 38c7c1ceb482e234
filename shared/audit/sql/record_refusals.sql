-- audit_log: a row for each kind of refusal.
-- :actions :actors :user_ids :request_ids :source_ips :details text[] (JSON); '' for unknown

INSERT INTO audit_log (action, actor, user_id, request_id, source_ip, detail)
SELECT action, actor, nullif(user_id, ''), nullif(request_id, ''), nullif(source_ip, ''), CAST(detail AS jsonb)
FROM unnest(
    CAST(:actions AS text[]), CAST(:actors AS text[]), CAST(:user_ids AS text[]), CAST(:request_ids AS text[]),
    CAST(:source_ips AS text[]), CAST(:details AS text[])
) WITH ORDINALITY AS t (action, actor, user_id, request_id, source_ip, detail, place)
ORDER BY place
