"""Benchmarks: every figure is a ratio against a limit or a peer, measured in one run."""
