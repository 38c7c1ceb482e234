-- unrecorded_updates: messages that the ledger does not take, each there once.
-- :letters text (a JSON array of objects with these columns, oldest first; body in hex, at is an instant or null for now;
--   accepted_at in ms)
-- Answers the keys of those that are to be sent on: not of a copy of an update that was tried more often since, or was discarded,
-- nor of another update with the same request id, which has another number.
-- What cannot be opened may come anew after it was discarded: then it is its first attempt again.

INSERT INTO unrecorded_updates AS known (
    request_id, user_id, increment, epoch, sequence, accepted_at, reason, body, size, digest, headers, attempts, state, noted_at, changed_at,
    history
)
SELECT
    request_id, user_id, increment, epoch, sequence, to_timestamp(accepted_at / 1000.0), reason, decode(body, 'hex'), size, digest, headers, attempts, state,
    coalesce(at, now()), coalesce(at, now()),
    jsonb_build_array(jsonb_build_object('at', coalesce(at, now()), 'state', state, 'attempts', attempts, 'reason', reason))
FROM jsonb_to_recordset(CAST(:letters AS jsonb)) AS letter (
    request_id text, user_id text, increment int, epoch bigint, sequence bigint, accepted_at bigint, reason text, body text, size int, digest text,
    headers jsonb, attempts int, state text, at timestamptz
)
ON CONFLICT (letter_key) DO UPDATE SET
    epoch = coalesce(excluded.epoch, known.epoch),
    sequence = coalesce(excluded.sequence, known.sequence),
    accepted_at = coalesce(excluded.accepted_at, known.accepted_at),
    reason = excluded.reason,
    body = coalesce(excluded.body, known.body),
    size = excluded.size,
    digest = excluded.digest,
    headers = excluded.headers,
    attempts = excluded.attempts,
    state = excluded.state,
    changed_at = excluded.changed_at,
    -- The newest twenty.
    history = CASE WHEN jsonb_array_length(known.history) < 20 THEN known.history ELSE known.history - 0 END || excluded.history
WHERE CASE
    WHEN known.request_id IS NULL THEN known.state <> 'discarded' OR excluded.attempts = 1
    ELSE known.state <> 'discarded'
        AND (known.attempts <= excluded.attempts OR known.body IS NULL)
        AND (known.epoch IS NULL OR excluded.epoch IS NULL OR (known.epoch, known.sequence) = (excluded.epoch, excluded.sequence))
END
RETURNING letter_key
