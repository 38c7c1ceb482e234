"""What processes forked from one know together of PostgreSQL's last answer."""

from __future__ import annotations

import subprocess
import sys

from tests.support.product import ROOT

FORKED = """
import os, time
from shared.stores.postgresql.last_answer import LastAnswer
answered = LastAnswer()
time.sleep(0.3)
made = answered.seconds_ago()
if os.fork() == 0:
    answered.note()
    os._exit(0)
os.wait()
print(made >= 0.3, answered.seconds_ago() < made)
"""


def test_what_answered_one_process_its_siblings_know() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"
