"""The live side: leaderboard, outbox, caches and tickets in Redis."""
