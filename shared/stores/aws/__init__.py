"""Calls of AWS services that need no SDK."""
