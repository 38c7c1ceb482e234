-- unrecorded_updates: an accepted update the ledger refused. :request_id :user_id :reason text, :increment int

INSERT INTO unrecorded_updates (request_id, user_id, increment, reason)
VALUES (:request_id, :user_id, CAST(:increment AS int), :reason)
ON CONFLICT (request_id) DO UPDATE SET reason = excluded.reason
