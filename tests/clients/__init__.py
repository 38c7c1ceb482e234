"""Both clients against the real product."""
