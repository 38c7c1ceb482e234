"""Starts a peer on the stores of a running product, in an environment of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.api import Api
from tests.support.product import ROOT, Product
from tests.support.waiting import eventually

HOME = ROOT / "dist" / "peers"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WORKERS = 2
COMMANDS = {
    "Flask, gunicorn gevent": [
        "gunicorn",
        "-k",
        "gevent",
        "-w",
        str(WORKERS),
        "-b",
        "127.0.0.1:{port}",
        "tests.benchmarks.peers.flask_peer:app",
    ],
    "FastAPI, uvicorn": [
        "uvicorn",
        "--workers",
        str(WORKERS),
        "--port",
        "{port}",
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "tests.benchmarks.peers.fastapi_peer:app",
    ],
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Where it listens, and its first process."""

    base_url: str
    pid: int


def environment() -> Path:
    """Its Python, made at the first call and when the requirements change."""
    python, stamp = HOME / "bin" / "python", HOME / "requirements.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS)], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python


@contextmanager
def running(name: str, product: Product) -> Iterator[Peer]:
    """The peer, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    program, *arguments = (argument.format(port=port) for argument in COMMANDS[name])
    variables = {**product.runtime["function_env"], "PYTHONPATH": str(ROOT), "PATH": str(HOME / "bin")}
    python, log = environment(), HOME / f"{program}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, "-m", program, *arguments], cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        api = Api(f"http://127.0.0.1:{port}")
        eventually(lambda: _answers(api), 30, f"{name} answers: {log.read_text()}")
        yield Peer(api.base_url, process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _answers(api: Api) -> bool:
    try:
        return api.get("/healthz").status == 200
    except OSError:
        return False
