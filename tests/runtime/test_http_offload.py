"""Long computations beside the loop of an HTTP worker."""

from __future__ import annotations

import os
import sys
import threading

from local_runtime.gateway.http.offload import NICENESS, beside_the_loop


def test_a_computation_gives_way_to_the_loop_and_only_it() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    computed = beside_the_loop(lambda: (threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0)))
    assert computed[0] != threading.get_native_id()
    assert computed[1] == (max(own, NICENESS) if sys.platform == "linux" else own)
    assert os.getpriority(os.PRIO_PROCESS, 0) == own
