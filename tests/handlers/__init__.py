"""Every handler, given the events that API Gateway sends."""
