-- audit_seals: the chain that makes a change to audit_log visible. A seal covers the rows with ids from first_id to last_id.
--   content_hash   SHA-256 of those rows as text; hash: SHA-256 of the seal's own fields and of the hash of the one before
--   mac            HMAC-SHA-256 of hash under a key that this database does not have; key_id names it
-- refusal_batches: which batches of refusals are in audit_log already; forgotten after a week.
--
-- With two roles (MIGRATIONS_DATABASE_URL names the owner of the tables, DATABASE_URL the functions' role) the functions' role may
-- only read and add here: each run of the migrations grants it that and no more, so it can neither change a row nor disable a trigger.

CREATE TABLE audit_seals (
    seq BIGINT PRIMARY KEY,
    first_id BIGINT NOT NULL,
    last_id BIGINT NOT NULL,
    row_count INT NOT NULL,
    sealed_at TIMESTAMPTZ NOT NULL,
    content_hash TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    key_id TEXT NOT NULL,
    mac TEXT NOT NULL
);

-- When a row was sealed tells in which ids an interval of time lies: a seek of audit_log by time needs no index of its own.
CREATE INDEX audit_seals_sealed_at_idx ON audit_seals (sealed_at);

CREATE OR REPLACE FUNCTION audit_log_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_seals_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse_change();

CREATE TABLE refusal_batches (
    batch_id VARCHAR(36) PRIMARY KEY,
    recorded_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- The id of an HTTP request may be the client's own, of up to 64 characters.
ALTER TABLE audit_log ALTER COLUMN request_id TYPE VARCHAR(64);

-- Nearly all rows are accepted updates: what is left of them out of these indexes costs the consumer nothing.
CREATE INDEX audit_log_action_id_idx ON audit_log (action, id) WHERE action <> 'score_accepted';
CREATE INDEX audit_log_actor_id_idx ON audit_log (actor, id) WHERE action <> 'score_accepted';
CREATE INDEX audit_log_other_id_idx ON audit_log (id) WHERE action <> 'score_accepted';
