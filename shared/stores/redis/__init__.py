"""Redis: one shared connection, a pool, failover, scripts."""
