-- Of the tables that updates and log-ins write to or read: those that are not there, and those with which this role may not do that.
-- Answers (capability, what is missing), a row for each; none when all is well.

SELECT wanted.capability,
    CASE
        WHEN to_regclass(wanted.name) IS NULL THEN 'the table ' || wanted.name || ' is missing'
        ELSE wanted.privilege || ' on ' || wanted.name || ' is not permitted'
    END
FROM (
    VALUES
        ('record', 'users', 'SELECT'),
        ('record', 'score_history', 'INSERT'),
        ('record', 'score_totals', 'INSERT'),
        ('record', 'score_totals', 'UPDATE'),
        ('record', 'score_entries', 'INSERT'),
        ('record', 'season_totals', 'INSERT'),
        ('record', 'season_totals', 'UPDATE'),
        ('record', 'audit_log', 'INSERT'),
        ('record', 'unrecorded_updates', 'INSERT'),
        ('logIn', 'users', 'SELECT'),
        ('logIn', 'refresh_tokens', 'INSERT'),
        ('logIn', 'refresh_tokens', 'UPDATE')
) AS wanted (capability, name, privilege)
WHERE to_regclass(wanted.name) IS NULL OR NOT has_any_column_privilege(to_regclass(wanted.name), wanted.privilege)
