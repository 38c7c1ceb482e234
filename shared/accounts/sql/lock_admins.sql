-- Until the end of the transaction nobody else changes who is an admin.

SELECT pg_advisory_xact_lock(hashtextextended('users: admins', 0))
