-- What the functions' role may write can neither stop the sealing of the audit log nor its verification, nor hide an entry.
--
-- audit_log: entries are bounded, so that any number of them can be hashed and read, and their detail is an object. Rows from before
-- stay as they are (they are sealed), so readers do not rely on it.

ALTER TABLE audit_log
    ADD CONSTRAINT audit_log_is_bounded CHECK (
        octet_length(action) <= 1000
        AND octet_length(actor) <= 1000
        AND octet_length(source_ip) <= 1000
        AND octet_length(CAST(detail AS text)) <= 16384
    ) NOT VALID,
    ADD CONSTRAINT audit_log_detail_is_an_object CHECK (jsonb_typeof(detail) = 'object') NOT VALID;

-- add_audit_seals: the only way in which the functions' role adds seals (it has no right to insert into audit_seals). It can still add
-- a seal of its own making, which verification tells of; but none that says it was made at another time, covers ids that were not
-- given yet, or is too long to be read. It is refused with false when another transaction has or is about to have one of the numbers.

CREATE FUNCTION add_audit_seals(
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
            AND greatest(
                octet_length(content_hash), octet_length(previous_hash), octet_length(hash), octet_length(mac)
            ) <= 64
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

-- A function that runs as the owner looks for tables in this schema only: a temporary one of its caller's may have a trigger.
DO $$
BEGIN
    EXECUTE format(
        'ALTER FUNCTION add_audit_seals(bigint[], bigint[], bigint[], int[], bigint[], text[], text[], text[], text[], text[]) '
        'SET search_path = %I, pg_temp',
        current_schema()
    );
END
$$;
REVOKE ALL ON FUNCTION add_audit_seals(
    BIGINT [], BIGINT [], BIGINT [], INT [], BIGINT [], TEXT [], TEXT [], TEXT [], TEXT [], TEXT []
) FROM PUBLIC;

-- audit_log_ids_about: the ids between which those who write at an instant get theirs. Entries up to `low` were written before it,
-- entries from `high` on after it, but for transactions that lasted long: ids are given in the order of time. Halved by the primary
-- key, so that a search by time needs no index of its own, and no word of a seal.

CREATE FUNCTION audit_log_ids_about(instant TIMESTAMPTZ, OUT low BIGINT, OUT high BIGINT) LANGUAGE plpgsql STABLE STRICT AS $$
DECLARE
    entry RECORD;
    middle BIGINT;
BEGIN
    low := 0;
    high := (SELECT coalesce(least(max(id), 9223372036854775806), 0) + 1 FROM audit_log);
    WHILE high - low > 100 LOOP
        middle := low + (high - low) / 2;
        SELECT id, at INTO entry FROM audit_log WHERE id >= middle AND id < high ORDER BY id LIMIT 1;
        IF entry.at < instant THEN
            low := entry.id;
        ELSE -- or there is none
            high := middle;
        END IF;
    END LOOP;
END
$$;

DROP INDEX audit_seals_sealed_at_idx;
