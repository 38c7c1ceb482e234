"""PostgreSQL: sessions, a pool, statements, the schema."""
