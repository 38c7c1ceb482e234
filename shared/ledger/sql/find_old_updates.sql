-- score_history_archive, archive_parts: of these request ids those that the archive has, and until when what was recorded may be in files
-- alone, or null. :request_ids text[]

SELECT
    coalesce(
        (SELECT array_agg(DISTINCT request_id) FROM score_history_archive WHERE request_id = ANY(CAST(:request_ids AS text[]))), '{}'
    ),
    (SELECT max(recorded_until) FROM archive_parts WHERE kind = 'score_history' AND dropped_at IS NOT NULL)
