-- readiness_probe: its one row, which tells nothing but that something can be written.

INSERT INTO readiness_probe (at) VALUES (now()) ON CONFLICT (is_only) DO UPDATE SET at = excluded.at
