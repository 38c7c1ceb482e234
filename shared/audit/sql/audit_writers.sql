-- pg_locks: transactions that have written to audit_log, or are about to, and have not ended. An id of audit_log is only ever
-- taken by a statement that has this lock already, and the lock goes when what the transaction did can be seen.

SELECT DISTINCT virtualtransaction
FROM pg_locks
WHERE locktype = 'relation'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND relation = CAST('audit_log' AS regclass)
    AND mode = 'RowExclusiveLock'
    AND granted
