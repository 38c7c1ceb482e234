"""The WebSocket gateway: holds the sockets, invokes the WebSocket API's functions, broadcasts, answers @connections."""
