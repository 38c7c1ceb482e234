"""The monitoring, held against the real Prometheus and against what it says of itself."""
