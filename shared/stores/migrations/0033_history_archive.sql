-- Updates that are older than HISTORY_MONTHS leave score_history, for a part of score_history_archive: a partition for each month in
-- which any were accepted, of the rows with ids from first_id to last_id.
-- archive_parts: the parts of score_history ('score_history').
--   part            the month, as 2026-07
--   recorded_until  everything in it was recorded before
--   row_count, filled_at   how many rows it has, and since when all of them; NULL while they are being moved
--   digest, key_id, mac    SHA-256 (hex) of its lines in a file, and the signature of that file's last line; NULL until it is in one
--   dropped_at      since when it is in that file alone; NULL while it is in the database
-- number_epochs.given_up: numbers that had not arrived by then, and are not waited for any more.

CREATE TABLE score_history_archive (
    id BIGINT PRIMARY KEY,
    request_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36),
    increment INT NOT NULL,
    new_score INT NOT NULL,
    created_at TIMESTAMP,
    epoch BIGINT,
    sequence BIGINT
) PARTITION BY RANGE (id);
CREATE INDEX score_history_archive_user_id_id_idx ON score_history_archive (user_id, id DESC);
CREATE INDEX score_history_archive_request_id_idx ON score_history_archive (request_id);
-- Numbers rise with the rows: a range of each block tells enough.
CREATE INDEX score_history_archive_numbers_idx ON score_history_archive USING brin (epoch, sequence);

CREATE TABLE archive_parts (
    kind TEXT NOT NULL,
    part TEXT NOT NULL CHECK (part ~ '^[0-9]{4}-[0-9]{2}$'),
    first_id BIGINT NOT NULL,
    last_id BIGINT NOT NULL,
    recorded_until TIMESTAMPTZ NOT NULL,
    row_count BIGINT,
    filled_at TIMESTAMPTZ,
    digest TEXT,
    key_id TEXT,
    mac TEXT,
    dropped_at TIMESTAMPTZ,
    PRIMARY KEY (kind, part)
);

ALTER TABLE number_epochs ADD COLUMN given_up BIGINT NOT NULL DEFAULT 0;

-- kept_history: all updates of `main` that the database has, for who may ask for old ones.
CREATE VIEW kept_history (id, request_id, user_id, increment, new_score, created_at, epoch, sequence) AS
SELECT id, request_id, user_id, increment, new_score, created_at, epoch, sequence FROM score_history
UNION ALL
SELECT id, request_id, user_id, increment, new_score, created_at, epoch, sequence FROM score_history_archive;

-- What is moved into the archive stays in the totals; what the archive has is not changed any more. Each row is looked for by its id: of
-- a part that is being filled the planner knows nothing yet, and would read all of it.

CREATE OR REPLACE FUNCTION score_totals_follow_removal() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
    UPDATE score_totals
    SET total = total - removed.points, epoch = (SELECT last_value FROM reconciliation_epoch), updated_at = now()
    FROM (
        SELECT user_id, sum(increment) AS points
        FROM old_rows
        WHERE NOT EXISTS (
            SELECT FROM score_history_archive AS moved WHERE moved.id = old_rows.id
        )
        GROUP BY user_id
    ) AS removed
    WHERE score_totals.user_id = removed.user_id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION score_totals_follow_truncation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE score_totals
    SET total = total - removed.points, epoch = (SELECT last_value FROM reconciliation_epoch), updated_at = now()
    FROM (SELECT user_id, sum(increment) AS points FROM score_history GROUP BY user_id) AS removed
    WHERE score_totals.user_id = removed.user_id;
    RETURN NULL;
END
$$;
DROP TRIGGER score_totals_follow_truncation ON score_history;
CREATE TRIGGER score_totals_follow_truncation BEFORE TRUNCATE ON score_history
    FOR EACH STATEMENT EXECUTE FUNCTION score_totals_follow_truncation();

CREATE TRIGGER score_history_archive_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON score_history_archive
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();

CREATE OR REPLACE FUNCTION waiting_updates()
RETURNS TABLE (user_id varchar, increment int, epoch bigint, sequence bigint)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT letter.user_id, letter.increment, letter.epoch, letter.sequence
    FROM unrecorded_updates AS letter
    WHERE letter.state <> 'discarded'
        AND NOT EXISTS (SELECT FROM score_history WHERE score_history.request_id = letter.request_id)
        AND NOT EXISTS (SELECT FROM score_history_archive AS old WHERE old.request_id = letter.request_id)
$$;

CREATE OR REPLACE VIEW ledger_entries (
    board_id, user_id, request_id, value, second, places, epoch, sequence, turn, accepted_at, counts
) AS
SELECT
    CAST('main' AS VARCHAR(40)), entry.user_id, entry.request_id, CAST(entry.increment AS BIGINT), CAST(0 AS BIGINT),
    CAST('all_time:1:' AS TEXT), entry.epoch, entry.sequence, CAST(0 AS BIGINT), entry.created_at AT TIME ZONE 'UTC',
    NOT EXISTS (
        SELECT FROM moderation_entries AS strike
        WHERE strike.struck = entry.request_id
            AND NOT EXISTS (SELECT FROM moderation_entries AS undo WHERE undo.undoes = strike.id)
    )
FROM kept_history AS entry
UNION ALL
SELECT
    entry.board_id, entry.user_id, entry.request_id, entry.value, entry.second,
    entry.places, entry.epoch, entry.sequence, CAST(0 AS BIGINT), entry.accepted_at,
    NOT EXISTS (
        SELECT FROM moderation_entries AS strike
        WHERE strike.struck = entry.request_id
            AND NOT EXISTS (SELECT FROM moderation_entries AS undo WHERE undo.undoes = strike.id)
    )
FROM score_entries AS entry
UNION ALL
SELECT
    adjustment.board_id, adjustment.user_id, adjustment.request_id, adjustment.value, adjustment.second,
    replace(adjustment.places, '|', ':|') || ':', adjustment.epoch, adjustment.sequence, adjustment.id, adjustment.moderated_at,
    NOT EXISTS (SELECT FROM moderation_entries AS undo WHERE undo.undoes = adjustment.id)
FROM moderation_entries AS adjustment
WHERE adjustment.action = 'adjust';

-- begin_history_part: the next part, if all updates of a month are older than so many whole months; answers whether there is one.
-- Its end is looked for by halves, as audit_log_ids_about does: ids are given in the order of time, but for what was recorded late, which
-- stays with what was recorded then.

CREATE FUNCTION begin_history_part(months INT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    boundary CONSTANT TIMESTAMP := date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => greatest(months, 1));
    above CONSTANT BIGINT := (SELECT coalesce(max(last_id), 0) FROM archive_parts WHERE kind = 'score_history');
    month TIMESTAMP := (SELECT to_date(max(part), 'YYYY-MM') + INTERVAL '1 month' FROM archive_parts WHERE kind = 'score_history');
    ends TIMESTAMP;
    last RECORD;
    entry RECORD;
    high BIGINT;
    recorded TIMESTAMPTZ;
BEGIN
    SELECT id, user_id, request_id, created_at INTO last
    FROM score_history WHERE id > above AND created_at IS NOT NULL ORDER BY id LIMIT 1;
    month := greatest(month, date_trunc('month', last.created_at));
    ends := month + INTERVAL '1 month';
    IF last.id IS NULL OR ends > boundary THEN
        RETURN FALSE;
    END IF;
    high := (SELECT max(id) + 1 FROM score_history);
    WHILE high - last.id > 1 LOOP
        SELECT id, user_id, request_id, created_at INTO entry
        FROM score_history WHERE id >= last.id + (high - last.id) / 2 AND id < high ORDER BY id LIMIT 1;
        IF entry.created_at < ends THEN
            last := entry;
        ELSE -- or there is none
            high := last.id + (high - last.id) / 2;
        END IF;
    END LOOP;
    recorded := (
        SELECT at FROM audit_log
        WHERE action = 'score_accepted'
            AND user_id = last.user_id
            AND request_id = last.request_id
            AND id > (SELECT low FROM audit_log_ids_about(last.created_at AT TIME ZONE 'UTC' - INTERVAL '15 minutes'))
        ORDER BY id
        LIMIT 1
    );
    -- Others with lower ids may have been recorded a little later.
    recorded := coalesce(recorded + INTERVAL '1 hour', last.created_at AT TIME ZONE 'UTC' + INTERVAL '1 day');
    IF recorded > now() - INTERVAL '28 days' THEN
        RETURN FALSE; -- the ledger had fallen behind by weeks
    END IF;
    EXECUTE format(
        'CREATE TABLE %I PARTITION OF score_history_archive FOR VALUES FROM (%s) TO (%s)',
        'score_history_' || to_char(month, 'YYYY_MM'), above + 1, last.id + 1
    );
    EXECUTE format(
        'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I'
        ' FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change()',
        'score_history_' || to_char(month, 'YYYY_MM')
    );
    INSERT INTO archive_parts (kind, part, first_id, last_id, recorded_until)
    VALUES ('score_history', to_char(month, 'YYYY-MM'), above + 1, last.id, recorded);
    RETURN TRUE;
END
$$;

-- archive_history: move up to so many updates that are older than so many whole months, the oldest first. Answers how many.
-- Who calls it needs no right to change score_history: nothing is lost by it, and nothing younger than a month is moved.

CREATE FUNCTION archive_history(months INT, most INT) RETURNS INT LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '1s' AS $$
DECLARE
    part RECORD;
    gap RECORD;
    moved INT;
    up_to BIGINT;
BEGIN
    PERFORM pg_advisory_xact_lock(7261995284);
    SELECT archive_parts.part, last_id INTO part FROM archive_parts WHERE kind = 'score_history' AND filled_at IS NULL;
    IF part.part IS NULL THEN
        IF NOT begin_history_part(months) THEN
            RETURN 0;
        END IF;
        SELECT archive_parts.part, last_id INTO part FROM archive_parts WHERE kind = 'score_history' AND filled_at IS NULL;
    END IF;
    up_to := (
        SELECT max(id) FROM (
            SELECT id FROM score_history WHERE id <= part.last_id ORDER BY id LIMIT least(greatest(most, 1), 10000)
        ) AS oldest
    );
    FOR gap IN
        SELECT epoch, settled, last
        FROM (SELECT epoch, max(sequence) AS last FROM score_history WHERE id <= up_to GROUP BY epoch) AS moving
        JOIN number_epochs USING (epoch)
        WHERE settled < last
    LOOP
        UPDATE number_epochs
        SET settled = gap.last, given_up = given_up + gap.last - gap.settled - (
            SELECT count(DISTINCT arrived.sequence) FROM (
                SELECT epoch, sequence FROM score_history
                UNION ALL SELECT epoch, sequence FROM score_entries
                UNION ALL SELECT epoch, sequence FROM unrecorded_updates
                UNION ALL SELECT epoch, sequence FROM repeated_updates
            ) AS arrived
            WHERE arrived.epoch = gap.epoch AND arrived.sequence > gap.settled AND arrived.sequence <= gap.last
        )
        WHERE number_epochs.epoch = gap.epoch;
    END LOOP;
    WITH leaving AS (
        DELETE FROM score_history WHERE id <= up_to
        RETURNING id, request_id, user_id, increment, new_score, created_at, epoch, sequence
    ),
    kept AS (
        INSERT INTO score_history_archive (id, request_id, user_id, increment, new_score, created_at, epoch, sequence)
        SELECT * FROM leaving ORDER BY id
        RETURNING id
    )
    SELECT count(*) INTO moved FROM kept;
    IF NOT EXISTS (SELECT FROM score_history WHERE id <= part.last_id) THEN
        UPDATE archive_parts
        SET filled_at = now(), row_count = (
            SELECT count(*) FROM score_history_archive WHERE id BETWEEN archive_parts.first_id AND archive_parts.last_id
        )
        WHERE kind = 'score_history' AND archive_parts.part = part.part;
    END IF;
    RETURN moved;
END
$$;

-- A function that runs as the owner looks for tables in this schema only: a temporary one of its caller's may have a trigger.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION archive_history(int, int) SET search_path = %I, pg_temp', current_schema());
END
$$;
REVOKE ALL ON FUNCTION archive_history(INT, INT) FROM PUBLIC;
REVOKE ALL ON FUNCTION begin_history_part(INT) FROM PUBLIC;
