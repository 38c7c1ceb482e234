-- leases: what one of several instances does at a time (a consumer of a queue, the schedules, a reconciliation), and who does it.
--   holder      the instance, or the run, that may do it until expires_at by this database's clock
--   fencing     rises whenever the lease is taken anew; what a late holder writes can be told by it. A released row stays for it.
--   detail      what the holder says of itself: the settings that instances on the same stores must share
-- Nothing here depends on a session: it works behind a pooler that gives each transaction another one.

CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    fencing BIGINT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    detail JSONB NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
