-- Sealed rows that are older than AUDIT_MONTHS leave audit_log, for a part of audit_log_archive: a partition for each month in which any
-- were sealed, of the rows under whole seals. Their part in archive_parts is of the kind 'audit_log'; the seals stay in audit_seals.
-- audit_log_archive: the rows as they are sealed, with hashes for what is personal (hashed_audit_log).
-- audit_personal: what the hashes of the archive stand for: one row for each value of a subject (audit_salts). It is never in a file.
-- audit_signatures: what was signed besides seals, with each key that was in use since. signed: SHA-256 (hex) of what was said: that a
-- seal of format 1 covers what this hash of format 2 covers, and that a part is in a file. Whoever may add here has no key to sign with.

CREATE TABLE audit_log_archive (
    id BIGINT PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    action TEXT NOT NULL,
    actor TEXT NOT NULL,
    user_id TEXT,
    request_id VARCHAR(64),
    source_ip TEXT,
    detail JSONB NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX audit_log_archive_user_id_id_idx ON audit_log_archive (user_id, id);
CREATE INDEX audit_log_archive_action_id_idx ON audit_log_archive (action, id) WHERE action <> 'score_accepted';
CREATE INDEX audit_log_archive_actor_id_idx ON audit_log_archive (actor, id) WHERE action <> 'score_accepted';
CREATE INDEX audit_log_archive_request_id_id_idx ON audit_log_archive (request_id, id) WHERE action <> 'score_accepted';

CREATE TABLE audit_personal (
    hash TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    value TEXT NOT NULL
);

CREATE TABLE audit_signatures (
    key_id TEXT NOT NULL CHECK (octet_length(key_id) <= 200),
    signed TEXT NOT NULL CHECK (octet_length(signed) <= 64),
    mac TEXT NOT NULL CHECK (octet_length(mac) <= 64),
    PRIMARY KEY (key_id, signed, mac)
);

CREATE TRIGGER audit_log_archive_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log_archive
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();
CREATE TRIGGER audit_personal_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_personal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();

-- Which seals are of one chain: one follows the other by its hash, and covers the ids after the other's.
CREATE INDEX audit_seals_first_id_idx ON audit_seals (first_id);

-- A row leaves audit_log when the archive has it, and never otherwise. Each is looked for by its id: of a part that is being filled the
-- planner knows nothing yet, and would read all of it.
CREATE FUNCTION audit_log_refuse_removal() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (
        SELECT FROM old_rows WHERE NOT EXISTS (
            SELECT FROM audit_log_archive AS moved
            WHERE moved.id = old_rows.id AND moved.at = old_rows.at AND moved.action = old_rows.action
        )
    ) THEN
        RAISE EXCEPTION 'audit_log is append-only: DELETE refused' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;
DROP TRIGGER audit_log_append_only ON audit_log;
CREATE TRIGGER audit_log_append_only
    BEFORE UPDATE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();
CREATE TRIGGER audit_log_leaves_by_the_archive
    AFTER DELETE ON audit_log REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_removal();

-- audit_clear_detail: a detail of the archive as it was, as far as its clear texts are there.
CREATE FUNCTION audit_clear_detail(detail JSONB) RETURNS JSONB LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN jsonb_typeof(detail) = 'object' THEN (
            SELECT coalesce(
                jsonb_object_agg(
                    member.key,
                    CASE
                        WHEN audit_is_personal(member.key, detail) AND jsonb_typeof(member.value) = 'string' THEN coalesce(
                            (SELECT CAST(known.value AS jsonb) FROM audit_personal AS known WHERE known.hash = member.value #>> '{}'),
                            member.value
                        )
                        ELSE member.value
                    END
                ),
                '{}'
            )
            FROM jsonb_each(detail) AS member
        )
        ELSE coalesce(
            (SELECT CAST(known.value AS jsonb) FROM audit_personal AS known WHERE known.hash = detail #>> '{}'), detail
        )
    END
$$;

-- clear_audit_archive: the rows of the archive as they were. A hash whose clear text is there no more stands for itself.
CREATE VIEW clear_audit_archive AS
SELECT
    entry.id,
    entry.at,
    entry.action,
    coalesce(actor.value, entry.actor) AS actor,
    coalesce(concerned.value, entry.user_id) AS user_id,
    entry.request_id,
    coalesce(address.value, entry.source_ip) AS source_ip,
    CASE
        WHEN jsonb_typeof(entry.detail) = 'object'
            AND NOT entry.detail ?| ARRAY['addresses', 'displayName', 'name', 'reason', 'username'] THEN entry.detail
        ELSE audit_clear_detail(entry.detail)
    END AS detail
FROM audit_log_archive AS entry
LEFT JOIN audit_personal AS actor ON actor.hash = entry.actor
LEFT JOIN audit_personal AS concerned ON concerned.hash = entry.user_id
LEFT JOIN audit_personal AS address ON address.hash = entry.source_ip;

-- audit_hashes: the hashes in a row of the archive, each of which stands for something.
CREATE FUNCTION audit_hashes(actor TEXT, user_id TEXT, source_ip TEXT, detail JSONB)
RETURNS SETOF TEXT LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT actor WHERE audit_is_somebody(actor)
    UNION ALL SELECT user_id WHERE user_id IS NOT NULL
    UNION ALL SELECT source_ip WHERE source_ip IS NOT NULL
    UNION ALL SELECT detail #>> '{}' WHERE jsonb_typeof(detail) <> 'object'
    UNION ALL
    SELECT member.value #>> '{}'
    FROM jsonb_each(CASE WHEN jsonb_typeof(detail) = 'object' THEN detail ELSE '{}' END) AS member
    WHERE audit_is_personal(member.key, detail) AND member.value <> 'null'
$$;

-- audit_user_hash and audit_actor_hash: under which hash the archive has an account's id, as user_id and as actor.
CREATE FUNCTION audit_user_hash(user_id TEXT) RETURNS TEXT LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT audit_hash((SELECT salt FROM audit_salts WHERE subject = left(user_id, 200)), user_id)
$$;
CREATE FUNCTION audit_actor_hash(actor TEXT) RETURNS TEXT LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN audit_is_somebody(actor) THEN audit_user_hash(actor) ELSE actor END
$$;

-- As in migration 0022, of all ids that there are.
CREATE OR REPLACE FUNCTION audit_log_ids_about(instant TIMESTAMPTZ, OUT low BIGINT, OUT high BIGINT) LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
    entry RECORD;
    middle BIGINT;
BEGIN
    low := 0;
    high := coalesce(
        least(
            greatest((SELECT max(id) FROM audit_log), (SELECT max(last_id) FROM archive_parts WHERE kind = 'audit_log')),
            9223372036854775806
        ),
        0
    ) + 1;
    WHILE high - low > 100 LOOP
        middle := low + (high - low) / 2;
        SELECT id, at INTO entry
        FROM (
            SELECT id, at FROM audit_log
            UNION ALL
            SELECT id, at FROM audit_log_archive
        ) AS kept
        WHERE id >= middle AND id < high
        ORDER BY id
        LIMIT 1;
        IF entry.at < instant THEN
            low := entry.id;
        ELSE -- or there is none
            high := middle;
        END IF;
    END LOOP;
END
$$;

-- begin_audit_part: the next part, if all seals of a month are older than so many whole months; answers whether there is one. It ends
-- with the last seal of that month that another one follows.
CREATE FUNCTION begin_audit_part(months INT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    boundary CONSTANT TIMESTAMP := date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => greatest(months, 1));
    above CONSTANT BIGINT := (SELECT coalesce(max(last_id), 0) FROM archive_parts WHERE kind = 'audit_log');
    month TIMESTAMP;
    ends TIMESTAMP;
    bound BIGINT;
    named TEXT;
BEGIN
    SELECT date_trunc('month', seal.sealed_at AT TIME ZONE 'UTC') INTO month
    FROM audit_seals AS seal
    WHERE seal.first_id > above
        AND EXISTS (
            SELECT FROM audit_seals AS next WHERE next.first_id = seal.last_id + 1 AND next.previous_hash = seal.hash
        )
    ORDER BY seal.first_id
    LIMIT 1;
    -- A month has one part: what was sealed as if it were of an earlier one goes with the next.
    month := greatest(
        month, (SELECT to_date(max(part), 'YYYY-MM') + INTERVAL '1 month' FROM archive_parts WHERE kind = 'audit_log')
    );
    ends := month + INTERVAL '1 month';
    IF month IS NULL OR ends > boundary THEN
        RETURN FALSE;
    END IF;
    bound := (
        SELECT max(seal.last_id)
        FROM audit_seals AS seal
        WHERE seal.first_id > above
            AND seal.sealed_at < ends AT TIME ZONE 'UTC'
            AND EXISTS (
                SELECT FROM audit_seals AS next WHERE next.first_id = seal.last_id + 1 AND next.previous_hash = seal.hash
            )
    );
    IF bound IS NULL THEN
        RETURN FALSE;
    END IF;
    named := 'audit_log_' || to_char(month, 'YYYY_MM');
    EXECUTE format('CREATE TABLE %I PARTITION OF audit_log_archive FOR VALUES FROM (%s) TO (%s)', named, above + 1, bound + 1);
    EXECUTE format(
        'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I'
        ' FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change()',
        named
    );
    INSERT INTO archive_parts (kind, part, first_id, last_id, recorded_until)
    VALUES ('audit_log', to_char(month, 'YYYY-MM'), above + 1, bound, ends AT TIME ZONE 'UTC');
    RETURN TRUE;
END
$$;

-- begin_audit_archive: which ids are to be moved next, if any are older than so many whole months; NULL for none.
CREATE FUNCTION begin_audit_archive(
    months INT, OUT after_id BIGINT, OUT up_to BIGINT
) LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '1s' AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7261995285);
    IF NOT EXISTS (SELECT FROM archive_parts WHERE kind = 'audit_log' AND filled_at IS NULL) THEN
        IF NOT begin_audit_part(months) THEN
            RETURN;
        END IF;
    END IF;
    SELECT greatest(first_id - 1, (SELECT max(id) FROM audit_log_archive)), last_id INTO after_id, up_to
    FROM archive_parts
    WHERE kind = 'audit_log' AND filled_at IS NULL;
END
$$;

-- archive_audit: move up to so many rows of the part that was begun, up to an id. Answers how many. Who calls it needs no right to
-- change audit_log: nothing is lost by it, and nothing younger than a month is moved.
CREATE FUNCTION archive_audit(upmost BIGINT, most INT) RETURNS INT LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '1s' AS $$
DECLARE
    part RECORD;
    last_moved BIGINT;
    moved INT;
BEGIN
    PERFORM pg_advisory_xact_lock(7261995285);
    SELECT archive_parts.part, first_id, last_id INTO part FROM archive_parts WHERE kind = 'audit_log' AND filled_at IS NULL;
    IF part.part IS NULL THEN
        RETURN 0;
    END IF;
    last_moved := (
        SELECT max(id) FROM (
            SELECT id FROM audit_log
            WHERE id > 0 AND id <= least(part.last_id, upmost)
            ORDER BY id
            LIMIT least(greatest(most, 1), 10000)
        ) AS oldest
    );
    IF NOT add_audit_salts(0, last_moved, 10000) THEN
        RAISE EXCEPTION 'salts are withheld' USING ERRCODE = 'lock_not_available';
    END IF;
    WITH moving AS MATERIALIZED (
        SELECT
            hashed.*,
            entry.actor AS clear_actor, entry.user_id AS clear_user_id, entry.source_ip AS clear_source_ip, entry.detail AS clear_detail,
            audit_acting(entry.actor, entry.user_id, entry.source_ip) AS acting,
            audit_concerned(entry.actor, entry.user_id, entry.source_ip) AS concerned
        FROM hashed_audit_log AS hashed
        JOIN audit_log AS entry USING (id)
        WHERE hashed.id > 0 AND hashed.id <= last_moved
    ),
    personal AS (
        INSERT INTO audit_personal (hash, subject, value)
        SELECT DISTINCT ON (clear.hash) clear.hash, clear.subject, clear.value
        FROM moving
        CROSS JOIN LATERAL (
            VALUES (acting, actor, clear_actor), (acting, source_ip, clear_source_ip), (concerned, user_id, clear_user_id)
            UNION ALL
            SELECT concerned, detail #>> '{}', CAST(clear_detail AS text)
            WHERE jsonb_typeof(clear_detail) <> 'object'
            UNION ALL
            SELECT concerned, member.value #>> '{}', CAST(clear_detail -> member.key AS text)
            FROM jsonb_each(CASE WHEN jsonb_typeof(detail) = 'object' AND detail <> clear_detail THEN detail ELSE '{}' END) AS member
            WHERE member.value <> clear_detail -> member.key
        ) AS clear (subject, hash, value)
        -- Neither is what is not there, nor an actor who is nobody.
        WHERE clear.hash <> clear.value
        ON CONFLICT (hash) DO NOTHING
    ),
    kept AS (
        INSERT INTO audit_log_archive (id, at, action, actor, user_id, request_id, source_ip, detail)
        SELECT id, at, action, actor, user_id, request_id, source_ip, detail FROM moving ORDER BY id
        RETURNING id
    )
    SELECT count(*) INTO moved FROM kept;
    DELETE FROM audit_log WHERE id > 0 AND id <= last_moved;
    IF NOT EXISTS (SELECT FROM audit_log WHERE id > 0 AND id <= part.last_id) THEN
        UPDATE archive_parts
        SET filled_at = now(), row_count = (
            SELECT count(*) FROM audit_log_archive WHERE id BETWEEN archive_parts.first_id AND archive_parts.last_id
        )
        WHERE kind = 'audit_log' AND archive_parts.part = part.part;
    END IF;
    RETURN moved;
END
$$;

-- A function that runs as the owner looks for tables in this schema only: a temporary one of its caller's may have a trigger.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION begin_audit_archive(int) SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION archive_audit(bigint, int) SET search_path = %I, pg_temp', current_schema());
END
$$;
REVOKE ALL ON FUNCTION begin_audit_archive(INT) FROM PUBLIC;
REVOKE ALL ON FUNCTION begin_audit_part(INT) FROM PUBLIC;
REVOKE ALL ON FUNCTION archive_audit(BIGINT, INT) FROM PUBLIC;

-- As in migration 0025, of rows of the archives, too. Of what was recorded before a month of score_history that is in a file alone, nobody
-- can say here whether it is missing.
CREATE OR REPLACE FUNCTION missing_updates(user_ids text[], increments text[])
RETURNS TABLE (id bigint, request_id varchar, user_id varchar, at timestamptz, increment int, new_score int, detail jsonb)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT DISTINCT ON (recorded.request_id)
        recorded.id, recorded.request_id, recorded.user_id, recorded.at,
        CAST(recorded.detail ->> 'increment' AS int),
        CAST(recorded.detail ->> 'newScore' AS int),
        recorded.detail
    FROM (
        SELECT audit_log.id, audit_log.request_id, audit_log.user_id, audit_log.at, audit_log.action, audit_log.detail
        FROM audit_log
        WHERE audit_log.user_id = ANY(missing_updates.user_ids)
        UNION ALL
        SELECT old.id, old.request_id, CAST(wanted.user_id AS varchar), old.at, old.action, old.detail
        FROM unnest(missing_updates.user_ids) AS wanted (user_id)
        JOIN audit_log_archive AS old ON old.user_id = audit_user_hash(wanted.user_id)
    ) AS recorded
    WHERE recorded.action = 'score_accepted'
        -- A row that says something else is none of record_updates.sql.
        AND recorded.detail ->> 'increment' = ANY(missing_updates.increments)
        AND CASE
            WHEN recorded.detail ->> 'newScore' ~ '^[0-9]{1,10}$' THEN CAST(recorded.detail ->> 'newScore' AS bigint) <= 2147483647
        END
        AND recorded.at >= coalesce(
            (SELECT max(recorded_until) FROM archive_parts WHERE kind = 'score_history' AND dropped_at IS NOT NULL), '-infinity'
        )
        AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = recorded.request_id)
        AND NOT EXISTS (SELECT FROM score_history_archive AS old WHERE old.request_id = recorded.request_id)
    ORDER BY recorded.request_id, recorded.id
$$;
