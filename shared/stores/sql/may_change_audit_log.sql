-- audit_log: whether a role may change what is in it, be it because of what it is. :role text

SELECT has_table_privilege(:role, 'audit_log', 'UPDATE, DELETE, TRUNCATE, TRIGGER')
    OR pg_has_role(:role, (SELECT relowner FROM pg_class WHERE oid = CAST('audit_log' AS regclass)), 'MEMBER')
