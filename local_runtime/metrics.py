"""What the runtime measures itself, beside what the layer does (`shared.core.metrics`)."""

from __future__ import annotations

from shared.core import metrics
from shared.core.metrics.instruments import Reading, Registry

registry = Registry()

in_flight = registry.gauge(
    "function_in_flight", "Invocations that have begun and not ended", ("function", "trigger"), together="sum"
)

connections = registry.gauge("websocket_connections", "Open WebSockets", together="sum").of()
views = registry.gauge("websocket_views", "Views of boards that somebody watches", together="sum").of()
turned_away = registry.counter("connections_turned_away_total", "Connections that got no place, or had to give way").of()
frames_received = registry.counter("broadcast_frames_received_total", "Frames heard from Redis").of()
broadcasts = registry.counter("broadcasts_total", "Frames sent to all viewers, after conflation").of()
broadcast_seconds = registry.histogram(
    "broadcast_duration_seconds", "Time to offer a frame to every viewer", bounds=metrics.DURATIONS
).of()
frame_bytes = registry.gauge("broadcast_frame_bytes", "Size of the newest frame", together="max", unit="Bytes")
frames_sent = registry.counter("websocket_frames_sent_total", "Frames handed to viewers' sockets").of()
bytes_sent = registry.counter("websocket_bytes_sent_total", "Bytes handed to viewers' sockets", unit="Bytes").of()
frames_dropped = registry.counter("websocket_frames_dropped_total", "Intermediate frames a slow reader never gets").of()

restarts = registry.counter("process_restarts_total", "Processes that died and were started again", ("process",))
free_bytes = registry.gauge(
    "data_directory_free_bytes",
    "Room on the disk of the data directory; below 64 MB no change is accepted",
    together="max",
    unit="Bytes",
)
build_info = registry.gauge("build_info", "1, with the version that runs", ("version",))


def read() -> list[Reading]:
    """Everything that this process measures, the functions in it included; for ProcessMetrics."""
    return registry.read() + metrics.of_host.read() + metrics.registry.read()
