-- archive_parts: all of them, by kind, the oldest first, or the :part of a :kind (text, null for all).

SELECT
    kind, part, first_id, last_id, recorded_until, coalesce(row_count, 0), filled_at IS NOT NULL, dropped_at IS NOT NULL,
    coalesce(digest, '')
FROM archive_parts
WHERE CAST(:kind AS text) IS NULL OR (kind = :kind AND part = :part)
ORDER BY kind, part
