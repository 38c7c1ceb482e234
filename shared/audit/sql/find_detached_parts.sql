-- archive_parts: parts of the audit log that are in files alone, in their order.

SELECT part, first_id, last_id, recorded_until, coalesce(row_count, 0), coalesce(digest, '')
FROM archive_parts
WHERE kind = 'audit_log' AND dropped_at IS NOT NULL
ORDER BY first_id
