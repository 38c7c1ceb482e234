"""What operators ask: health, readiness, gauges, the overview, and whose the stores are."""
