-- pg_locks: end those of our own role's transactions that have added salts and do not end; ours take no longer than a statement.

SELECT pg_terminate_backend(pid)
FROM (
    SELECT DISTINCT pid
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'relation'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND relation = CAST('audit_salts' AS regclass)
        AND mode = 'RowExclusiveLock'
        AND granted
        AND pid <> pg_backend_pid()
        AND usename = current_user
) AS lasting
