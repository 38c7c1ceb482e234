"""The text that viewers are sent: one frame with the board, the same bytes for all."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, islice

from shared.boards.ranking import Standing
from shared.core import metrics
from shared.core.clock import utc_text

ERROR = '{"type":"error"'
_VERSION = re.compile(r'\{"type":"leaderboard","version":(\d{1,19}),')


@dataclass(frozen=True, slots=True)
class Frame:
    """A version of what is watched; `text` is what goes on the wire."""

    version: int
    text: bytes

    @property
    def is_last(self) -> bool:
        """Whether it says that what was watched is no more."""
        return self.text.startswith(ERROR.encode())


def frame_text(version: int, content: str, cache_time: str, ending: str = "") -> str:
    """The text of a frame; `content` are members of JSON, and `ending` more of them, with a comma in front."""
    return f'{{"type":"leaderboard","version":{version},{content},"cache_time":"{cache_time}"{ending}}}'


def frame_of(version: int, data: str, cache_time: str) -> Frame:
    """The frame of a board that is JSON already."""
    return Frame(version, frame_text(version, f'"data":{data}', cache_time).encode())


def frame_of_view(version: int, content: str, cache_time: str) -> Frame:
    """The frame of a view, of which `content` is what stands between version and time; or the error that ends it."""
    return Frame(version, (content if content.startswith(ERROR) else frame_text(version, content, cache_time)).encode())


def version_in(text: str) -> int:
    """The version that a frame says it has."""
    match = _VERSION.match(text)
    return int(match[1]) if match else 0


def frame_behind_version(board: Sequence[Standing], as_of: datetime) -> str:
    """What follows `{"type":"leaderboard","version":N` in a frame."""
    return f',"data":{board_json(board)},"cache_time":"{utc_text(as_of)}"}}'


def compact(document: object) -> str:
    """As JSON without spaces."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def board_json(board: Sequence[Standing], max_bytes: int | None = None) -> str:
    """The lines as JSON; of a board that is larger than `max_bytes` those in front that fit."""
    return joined([compact(line.as_json()) for line in board], max_bytes)


def joined(lines: Sequence[str], max_bytes: int | None) -> str:
    """A JSON array of lines that are JSON already; where it is larger than `max_bytes` of those in front that fit."""
    if max_bytes is not None:
        sizes = accumulate((len(line.encode()) + 1 for line in lines), initial=1)
        lines = [line for line, size in zip(lines, islice(sizes, 1, None), strict=True) if size <= max_bytes]
    return f"[{','.join(lines)}]"


def measure_lag(accepted_at: datetime | None) -> None:
    """Viewers have now been given the frame; see the port Viewers."""
    if accepted_at is not None:
        metrics.broadcast_lag_seconds.of().observe(max(0.0, time.time() - accepted_at.timestamp()))
