"""A data directory that an older version made, started under this one."""
