"""PostgreSQL: accounts, the ledger of record, and the schema they stand in."""
