-- score_history: every accepted update, once; the ledger the leaderboard is held against.
-- score_totals: the sum of each player's increments, kept in the transaction that inserts them.
-- ledger_markers: markers that came through the queue of updates; all that was published before one is in the ledger.

CREATE TABLE score_history (
    id SERIAL PRIMARY KEY,
    request_id VARCHAR(36) UNIQUE NOT NULL,
    user_id VARCHAR(36) REFERENCES users (user_id),
    increment INT NOT NULL CHECK (increment BETWEEN 1 AND 5),
    new_score INT NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX score_history_user_id_id_idx ON score_history (user_id, id DESC);

-- Rewritten in place at every batch: room in each page keeps the updates off the index.
CREATE TABLE score_totals (
    user_id VARCHAR(36) PRIMARY KEY REFERENCES users (user_id),
    total BIGINT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

CREATE TABLE ledger_markers (
    marker_id VARCHAR(64) PRIMARY KEY,
    recorded_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
