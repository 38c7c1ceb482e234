"""The clients of infra/clients against the real product."""
