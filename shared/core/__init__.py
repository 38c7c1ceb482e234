"""What everybody may use and what uses nothing else of ours: errors, settings, time, ids, logs, metrics, tracing, TLS."""
