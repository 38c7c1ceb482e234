"""The text that viewers are sent: one frame with the board, the same bytes for all."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.boards.ranking import Standing
from shared.core import metrics
from shared.core.clock import utc_text


@dataclass(frozen=True, slots=True)
class Frame:
    """A version of the board; `text` is what goes on the wire."""

    version: int
    text: bytes


def frame_of(version: int, data: str, cache_time: str) -> Frame:
    """The frame of a board that is JSON already."""
    text = f'{{"type":"leaderboard","version":{version},"data":{data},"cache_time":"{cache_time}"}}'
    return Frame(version, text.encode())


def frame_behind_version(board: Sequence[Standing], as_of: datetime) -> str:
    """What follows `{"type":"leaderboard","version":N` in a frame."""
    return f',"data":{board_json(board)},"cache_time":"{utc_text(as_of)}"}}'


def board_json(board: Sequence[Standing], max_bytes: int | None = None) -> str:
    """The lines as JSON; of a board that is larger than `max_bytes` those in front that fit."""
    lines = [json.dumps(line.as_json(), separators=(",", ":"), ensure_ascii=False) for line in board]
    if max_bytes is not None:
        size, fitting = 2, 0
        while fitting < len(lines) and size + len(lines[fitting].encode()) + 1 <= max_bytes:
            size += len(lines[fitting].encode()) + 1
            fitting += 1
        del lines[fitting:]
    return f"[{','.join(lines)}]"


def measure_lag(accepted_at: datetime | None) -> None:
    """Viewers have now been given the frame; see the port Viewers."""
    if accepted_at is not None:
        metrics.broadcast_lag_seconds.of().observe(max(0.0, time.time() - accepted_at.timestamp()))
