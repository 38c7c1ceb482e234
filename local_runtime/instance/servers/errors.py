"""What goes wrong with a private server before any process of it runs."""

from __future__ import annotations


class ServerError(Exception):
    """A private server cannot be prepared; the message says why and what to do."""
