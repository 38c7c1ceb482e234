"""A cable between two network interfaces (TAP), which delays frames and loses some, in a process of its own.

    python -m tests.cluster.hosts.cable DESCRIPTOR DESCRIPTOR

Each line on standard input sets what happens from now on: the milliseconds that a frame takes, and which share of the frames is
lost, from the first interface to the second and back, as in `2.5 0.1 0.1`. It ends with its input. The kernel's own means for
this (`tc netem`) is not in every kernel.
"""

from __future__ import annotations

import os
import random
import select
import sys
import time
from collections import deque

MAX_FRAME_BYTES = 65_600
MAX_WAITING = 20_000  # frames; beyond that they are lost, as in a switch


def carry(ends: tuple[int, int], commands: int) -> None:
    """Until there are no more commands."""
    delay_seconds, losses = 0.0, [0.0, 0.0]
    waiting: deque[tuple[float, int, bytes]] = deque()  # due, to which end, frame
    while True:
        patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select([*ends, commands], [], [], patience)
        if commands in readable:
            lines = os.read(commands, 4096)
            if not lines:
                return
            milliseconds, *losses = (float(word) for word in lines.splitlines()[-1].split())
            delay_seconds = milliseconds / 1000
        for side, end in enumerate(ends):
            if end not in readable:
                continue
            frame = os.read(end, MAX_FRAME_BYTES)
            if random.random() >= losses[side] and len(waiting) < MAX_WAITING:  # noqa: S311 - nobody's secret
                waiting.append((time.monotonic() + delay_seconds, ends[1 - side], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, end, frame = waiting.popleft()
            os.write(end, frame)


if __name__ == "__main__":
    carry((int(sys.argv[1]), int(sys.argv[2])), sys.stdin.fileno())
