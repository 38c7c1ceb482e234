"""The way of an accepted update into PostgreSQL: events, queues, outbox, recording, dead letters."""
