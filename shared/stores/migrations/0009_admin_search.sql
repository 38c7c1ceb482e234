-- What an admin looks for: entries of the audit log by request id, accounts by how their names begin.
-- Accepted updates, which are nearly all entries, are found through score_history: they cost the consumer no further index.

CREATE INDEX audit_log_request_id_id_idx ON audit_log (request_id, id) WHERE action <> 'score_accepted';

-- Compared byte by byte, whatever the collation of the database is: so one range of the index is one beginning of a name.
CREATE INDEX users_username_begins_idx ON users (lower(username) text_pattern_ops);
