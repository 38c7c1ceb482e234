-- reconciliation_runs: each time the ledger was held against the leaderboard, and what was found.

CREATE TABLE reconciliation_runs (
    id BIGSERIAL PRIMARY KEY,
    started_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    dry_run BOOLEAN NOT NULL,
    checked INT NOT NULL,
    discrepancies INT NOT NULL,
    detail JSONB NOT NULL DEFAULT '[]'
);
