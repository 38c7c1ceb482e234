-- audit_seals: the next seals. :seqs :first_ids :last_ids bigint[]  :row_counts int[]  :sealed_ats bigint[] (microseconds)
-- :content_hashes :previous_hashes :hashes :key_ids :macs text[]
-- Answers whether they were added; false when another one has, or is about to have, one of the numbers.

SELECT add_audit_seals(
    CAST(:seqs AS bigint[]), CAST(:first_ids AS bigint[]), CAST(:last_ids AS bigint[]), CAST(:row_counts AS int[]),
    CAST(:sealed_ats AS bigint[]), CAST(:content_hashes AS text[]), CAST(:previous_hashes AS text[]), CAST(:hashes AS text[]),
    CAST(:key_ids AS text[]), CAST(:macs AS text[])
)
