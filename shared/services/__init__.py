"""Use cases, one a file: what happens, through ports."""
