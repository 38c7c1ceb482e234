"""Viewers whose sockets an API Gateway WebSocket API holds."""
