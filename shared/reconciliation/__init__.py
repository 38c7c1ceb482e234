"""The board held against the ledger, and filled from it again."""
