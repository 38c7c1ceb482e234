"""The audit log: refusals, seals, verification, export."""
