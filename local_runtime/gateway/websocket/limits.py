"""How long, how much and how often: the limits of a WebSocket connection, those of API Gateway where it has one."""

from __future__ import annotations

from dataclasses import dataclass

MAX_MESSAGE_BYTES = 128 * 1024
MAX_FRAME_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes and counts.

    `stall_seconds` without a byte taken make a slow reader a dead one; a message begun must be whole within `message_seconds`;
    whoever sends more than `frames_per_second`, after a burst, is closed.
    """

    lifetime_seconds: float = 7200.0
    idle_seconds: float = 600.0
    ping_seconds: float = 30.0
    lost_pings: int = 2
    stall_seconds: float = 60.0
    close_seconds: float = 5.0
    stop_seconds: float = 2.0
    broadcast_seconds: float = 0.1
    tick_seconds: float = 0.5
    message_seconds: float = 15.0
    frames_per_second: float = 50.0
    frames_burst: int = 1000
    queued_bytes: int = 1024 * 1024
    connections: int = 20_000
    connections_per_address: int = 0
    concurrent_invocations: int = 100
