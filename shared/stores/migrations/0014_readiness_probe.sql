-- readiness_probe: one row that is written to find out whether anything can be written.

CREATE TABLE readiness_probe (
    is_only BOOLEAN PRIMARY KEY DEFAULT true CHECK (is_only),
    at TIMESTAMPTZ NOT NULL DEFAULT now()
) WITH (fillfactor = 10);
