"""What clients meet: HTTP, WebSockets, and the management API of both."""
