-- audit_seals: the next seals. :seqs :first_ids :last_ids bigint[]  :row_counts int[]  :sealed_ats bigint[] (microseconds)
-- :content_hashes :previous_hashes :hashes :key_ids :macs text[]

INSERT INTO audit_seals (
    seq, first_id, last_id, row_count, sealed_at, content_hash, previous_hash, hash, key_id, mac
)
SELECT
    seq, first_id, last_id, row_count, TIMESTAMPTZ 'epoch' + sealed_at * INTERVAL '1 microsecond',
    content_hash, previous_hash, hash, key_id, mac
FROM unnest(
    CAST(:seqs AS bigint[]), CAST(:first_ids AS bigint[]), CAST(:last_ids AS bigint[]), CAST(:row_counts AS int[]),
    CAST(:sealed_ats AS bigint[]), CAST(:content_hashes AS text[]), CAST(:previous_hashes AS text[]), CAST(:hashes AS text[]),
    CAST(:key_ids AS text[]), CAST(:macs AS text[])
) AS t (seq, first_id, last_id, row_count, sealed_at, content_hash, previous_hash, hash, key_id, mac)
