-- What the functions may do with the tables, for a role that does not own them: granted anew after every run of the migrations.
-- scoreboard.functions_role (a setting of the transaction) names the role. A version that does not know all migrations in the
-- database grants nothing, so that it cannot widen what a newer one has narrowed: whatever is narrowed here needs a migration.
--
-- Every table may be read and written, but what is kept for good may only be read and added to, of audit_log neither id nor time can be
-- chosen, and its salts and seals are added by functions alone. Nothing may be emptied, altered or owned, no trigger switched off, no
-- sequence turned back.

DO $$
DECLARE
    functions_role CONSTANT TEXT := current_setting('scoreboard.functions_role');
    in_use CONSTANT TEXT := current_schema();
    part REGCLASS;
BEGIN
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', in_use);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', in_use, functions_role);
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', in_use, functions_role);
    EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM %I', in_use, functions_role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', in_use, functions_role);
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO %I', in_use, functions_role);
    EXECUTE format(
        'REVOKE UPDATE, DELETE ON score_history, score_entries, final_ranks, moderation_entries, reconciliation_runs FROM %I',
        functions_role
    );
    EXECUTE format(
        'REVOKE INSERT, UPDATE, DELETE ON audit_log, audit_salts, audit_seals, hashed_audit_log, audit_log_archive, audit_personal, '
        'clear_audit_archive, schema_migrations, installation, installation_keys, ledger_entries, kept_history, '
        'score_history_archive, archive_parts FROM %I',
        functions_role
    );
    EXECUTE format('REVOKE UPDATE, DELETE ON audit_signatures FROM %I', functions_role);
    EXECUTE format(
        'GRANT INSERT (action, actor, user_id, request_id, source_ip, detail) ON audit_log TO %I', functions_role
    );
    FOR part IN
        SELECT CAST(inhrelid AS regclass) FROM pg_inherits
        WHERE inhparent IN (CAST('score_history_archive' AS regclass), CAST('audit_log_archive' AS regclass))
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %s FROM %I', part, functions_role);
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON FUNCTION add_audit_salts, add_audit_seals TO %I', functions_role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION archive_history, begin_audit_archive, archive_audit TO %I', functions_role);
    EXECUTE format('REVOKE INSERT ON reconciliation_runs FROM %I', functions_role);
    EXECUTE format(
        'GRANT INSERT (%s) ON reconciliation_runs TO %I',
        (
            SELECT string_agg(quote_ident(column_name), ', ')
            FROM information_schema.columns
            WHERE table_schema = in_use AND table_name = 'reconciliation_runs' AND column_name NOT IN ('id', 'finished_at')
        ),
        functions_role
    );
END
$$;
