-- audit_salts: what keeps a hash of somebody's data from being guessed. A subject is somebody whom rows of audit_log speak of: the id of
-- an account, or where there is none an address. Made when rows are sealed; readable, and never changed: whoever takes a salt and the
-- clear texts away leaves hashes that say nothing, and a chain that is whole.

CREATE TABLE audit_salts (
    subject TEXT PRIMARY KEY,
    salt UUID NOT NULL DEFAULT gen_random_uuid()
);

CREATE TRIGGER audit_salts_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_salts
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();

-- Of the text that is sealed since. It stands for good: what is to be said otherwise needs a format of its own (audit_seals).

-- audit_is_somebody: whether an actor is an account's id; what the product itself, an operator or a game's server does is nobody's data.
CREATE FUNCTION audit_is_somebody(actor TEXT) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT actor NOT IN ('anonymous', 'operator', 'reconcile_scores', 'record_refusals', 'scoreboard', 'several')
        AND actor NOT LIKE 'server:%'
$$;

-- audit_acting: under whose salt actor and source_ip of a row are. Texts of strangers are cut off, so that an index takes any.
CREATE FUNCTION audit_acting(actor TEXT, user_id TEXT, source_ip TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(CASE WHEN audit_is_somebody(actor) THEN actor ELSE coalesce(user_id, source_ip, actor) END, 200)
$$;

-- audit_concerned: under whose salt user_id and detail of a row are.
CREATE FUNCTION audit_concerned(actor TEXT, user_id TEXT, source_ip TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(left(user_id, 200), audit_acting(actor, user_id, source_ip))
$$;

-- audit_hash: what stands for a personal value; null for none. Without its salt it is another one.
CREATE FUNCTION audit_hash(salt UUID, value TEXT) RETURNS TEXT LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN value IS NOT NULL THEN encode(sha256(coalesce(uuid_send(salt), '') || convert_to(value, 'UTF8')), 'hex')
    END
$$;

-- audit_is_personal: whether a member of a detail is. The reason of a refusal is a code, any other one was written by somebody.
CREATE FUNCTION audit_is_personal(member TEXT, detail JSONB) RETURNS BOOLEAN LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT member IN ('addresses', 'displayName', 'name', 'username') OR (member = 'reason' AND NOT detail ? 'firstAt')
$$;

-- audit_hashed_members: an object with hashes for its personal members, of their JSON.
CREATE FUNCTION audit_hashed_members(salt UUID, detail JSONB) RETURNS JSONB LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT jsonb_object_agg(
        key,
        CASE
            WHEN audit_is_personal(key, detail) AND value <> 'null' THEN to_jsonb(audit_hash(salt, CAST(value AS text)))
            ELSE value
        END
    )
    FROM jsonb_each(detail)
$$;

-- audit_hashed_detail: the same of any detail; one that is no object (earlier versions) is personal as a whole. Most have no such member:
-- without a query of its own the planner puts this function's text into each statement.
CREATE FUNCTION audit_hashed_detail(salt UUID, detail JSONB) RETURNS JSONB LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN jsonb_typeof(detail) <> 'object' THEN to_jsonb(audit_hash(salt, CAST(detail AS text)))
        WHEN detail ?| ARRAY['addresses', 'displayName', 'name', 'reason', 'username'] THEN audit_hashed_members(salt, detail)
        ELSE detail
    END
$$;

-- hashed_audit_log: the rows of audit_log with hashes for what is personal.
CREATE VIEW hashed_audit_log AS
SELECT
    entry.id,
    entry.at,
    entry.action,
    CASE WHEN audit_is_somebody(entry.actor) THEN audit_hash(acting.salt, entry.actor) ELSE entry.actor END AS actor,
    audit_hash(concerned.salt, entry.user_id) AS user_id,
    entry.request_id,
    audit_hash(acting.salt, entry.source_ip) AS source_ip,
    audit_hashed_detail(concerned.salt, entry.detail) AS detail
FROM audit_log AS entry
LEFT JOIN audit_salts AS acting ON acting.subject = audit_acting(entry.actor, entry.user_id, entry.source_ip)
LEFT JOIN audit_salts AS concerned ON concerned.subject = audit_concerned(entry.actor, entry.user_id, entry.source_ip);

-- audit_line: a row as text, the same in every session, whatever its time zone.
CREATE FUNCTION audit_line(
    id BIGINT, at TIMESTAMPTZ, action TEXT, actor TEXT, user_id TEXT, request_id TEXT, source_ip TEXT, detail JSONB
) RETURNS TEXT LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CAST(
        jsonb_build_array(id, CAST(extract(EPOCH FROM at) AS text), action, actor, user_id, request_id, source_ip, detail) AS text
    )
$$;

-- add_audit_salts: one for each subject of the first rows with ids above after_id up to up_to, where there is none yet. The only way in
-- which the functions' role adds any. Answers false when another transaction is about to.
CREATE FUNCTION add_audit_salts(
    after_id BIGINT, up_to BIGINT, most INT
) RETURNS BOOLEAN LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '1s' AS $$
BEGIN
    INSERT INTO audit_salts (subject)
    SELECT DISTINCT spoken_of.subject
    FROM (
        SELECT actor, user_id, source_ip FROM audit_log
        WHERE id > after_id AND id <= up_to
        ORDER BY id
        LIMIT least(most, 10000)
    ) AS next_rows
    CROSS JOIN LATERAL (
        VALUES (audit_acting(actor, user_id, source_ip)), (audit_concerned(actor, user_id, source_ip))
    ) AS spoken_of (subject)
    WHERE NOT EXISTS (SELECT FROM audit_salts AS known WHERE known.subject = spoken_of.subject)
    ON CONFLICT (subject) DO NOTHING;
    RETURN TRUE;
EXCEPTION
    WHEN lock_not_available THEN
        RETURN FALSE;
END
$$;

-- audit_seals.content_hash says in which format the rows are hashed: as before without a word in front, with hashes for what is personal
-- behind `2:`. Versions that know no formats go on from such a seal: its own hash is made as ever.
CREATE OR REPLACE FUNCTION add_audit_seals(
    seqs BIGINT [],
    first_ids BIGINT [],
    last_ids BIGINT [],
    row_counts INT [],
    sealed_ats BIGINT [], -- microseconds since 1970
    content_hashes TEXT [],
    previous_hashes TEXT [],
    hashes TEXT [],
    key_ids TEXT [],
    macs TEXT []
) RETURNS BOOLEAN LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '1s' AS $$
DECLARE
    last_given CONSTANT BIGINT := (SELECT last_value FROM audit_log_id_seq);
    now_us CONSTANT NUMERIC := extract(EPOCH FROM clock_timestamp()) * 1000000;
BEGIN
    IF EXISTS (
        SELECT
        FROM unnest(
            seqs, first_ids, last_ids, row_counts, sealed_ats, content_hashes, previous_hashes, hashes, key_ids, macs
        ) AS t (seq, first_id, last_id, row_count, sealed_at, content_hash, previous_hash, hash, key_id, mac)
        WHERE (
            seq BETWEEN 1 AND 4611686018427387904
            AND first_id BETWEEN 1 AND last_id
            AND last_id <= last_given
            AND row_count BETWEEN 0 AND last_id - first_id + 1
            AND abs(sealed_at - now_us) < 900000000
            AND octet_length(content_hash) <= 66
            AND greatest(octet_length(previous_hash), octet_length(hash), octet_length(mac)) <= 64
            AND octet_length(key_id) <= 200
        ) IS NOT TRUE
    ) THEN
        RAISE EXCEPTION 'this is no seal of the present' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO audit_seals (
        seq, first_id, last_id, row_count, sealed_at, content_hash, previous_hash, hash, key_id, mac
    )
    SELECT
        seq, first_id, last_id, row_count, TIMESTAMPTZ 'epoch' + sealed_at * INTERVAL '1 microsecond',
        content_hash, previous_hash, hash, key_id, mac
    FROM unnest(
        seqs, first_ids, last_ids, row_counts, sealed_ats, content_hashes, previous_hashes, hashes, key_ids, macs
    ) AS t (seq, first_id, last_id, row_count, sealed_at, content_hash, previous_hash, hash, key_id, mac);
    RETURN TRUE;
EXCEPTION
    WHEN unique_violation OR lock_not_available THEN
        RETURN FALSE;
END
$$;

-- As in migration 0022: a function that runs as the owner looks for tables in this schema only.
DO $$
BEGIN
    EXECUTE format(
        'ALTER FUNCTION add_audit_seals(bigint[], bigint[], bigint[], int[], bigint[], text[], text[], text[], text[], text[]) '
        'SET search_path = %I, pg_temp',
        current_schema()
    );
    EXECUTE format('ALTER FUNCTION add_audit_salts(bigint, bigint, int) SET search_path = %I, pg_temp', current_schema());
END
$$;
REVOKE ALL ON FUNCTION add_audit_salts(BIGINT, BIGINT, INT) FROM PUBLIC;
