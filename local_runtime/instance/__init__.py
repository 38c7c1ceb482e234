"""Composes an instance: its data directory, keys, sockets, servers and the processes of the product."""
