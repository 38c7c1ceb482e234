"""Cold starts: importing a handler touches no network, reads no setting and loads no client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HANDLERS = sorted((ROOT / "functions").glob("*/handler.py"))
CLIENTS = {
    "boto3",
    "botocore",
    "pg8000",
    "pika",
    "redis",
    "jwt",
    "argon2",
    "cryptography",
    "flask",
    "gevent",
    "opentelemetry",
    "google",
    "requests",
}
PROGRAM = """
import importlib.util, json, socket, sys
def refuse(*arguments, **options):
    raise AssertionError("a handler's import touched the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
spec = importlib.util.spec_from_file_location("handler", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert callable(module.lambda_handler)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: handler.parent.name)
def test_importing_a_handler_loads_no_client_and_needs_no_environment(handler: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(handler)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not CLIENTS & set(json.loads(done.stdout))
