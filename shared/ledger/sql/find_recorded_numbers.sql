-- kept_history, score_entries: what the ledger has under these request ids, or these numbers. :request_ids text[]  :epochs :sequences bigint[]
-- Answers request id, epoch and sequence.

SELECT request_id, epoch, sequence FROM kept_history WHERE request_id = ANY(CAST(:request_ids AS text[]))
UNION
SELECT kept_history.request_id, kept_history.epoch, kept_history.sequence
FROM unnest(CAST(:epochs AS bigint[]), CAST(:sequences AS bigint[])) AS wanted (epoch, sequence)
JOIN kept_history ON kept_history.epoch = wanted.epoch AND kept_history.sequence = wanted.sequence
UNION
SELECT request_id, epoch, sequence FROM score_entries WHERE request_id = ANY(CAST(:request_ids AS text[]))
UNION
SELECT score_entries.request_id, score_entries.epoch, score_entries.sequence
FROM unnest(CAST(:epochs AS bigint[]), CAST(:sequences AS bigint[])) AS wanted (epoch, sequence)
JOIN score_entries ON score_entries.epoch = wanted.epoch AND score_entries.sequence = wanted.sequence
