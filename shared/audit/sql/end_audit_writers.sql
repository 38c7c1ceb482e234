-- pg_locks: end those of these transactions that are our own role's; no transaction of ours lasts as long as they have.
-- :writers text[]
-- (A transaction that was prepared for a two-phase commit has no process: max_prepared_transactions must be 0, as it is by default.)

SELECT pg_terminate_backend(pid)
FROM (
    SELECT DISTINCT pid
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE virtualtransaction = ANY(CAST(:writers AS text[]))
        AND pid <> pg_backend_pid()
        AND usename = current_user
) AS lasting
