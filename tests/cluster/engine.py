"""A container engine of our own: all it makes is in a directory and a network namespace that go with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import eventually

CLONE_NEWNET = 0x40000000
START_SECONDS = 60.0
PROGRAMS = {"docker": "docker.io", "dockerd": "docker.io", "mmdebstrap": "mmdebstrap", "ip": "iproute2", "openssl": "openssl"}
# A build fetches packages as this machine does; it needs no network of its own, and no rule of the machine's firewall is touched.
FOR_BUILDS = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")


class CannotRun(Exception):
    """This machine cannot run containers; the message says what it lacks."""


def compose_command() -> list[str]:
    """Compose, of either generation; CannotRun when there is none."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise CannotRun("there is no docker-compose: apt-get install docker-compose")


def check_machine() -> None:
    """CannotRun unless containers can be built and run here."""
    if os.geteuid() != 0:
        raise CannotRun("an engine of one's own needs root: run this as root")
    if missing := sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)}):
        raise CannotRun(f"there is no container engine, or a part is missing: apt-get install {' '.join(missing)}")
    compose_command()


class Engine:
    """dockerd below `place`, reached by its own socket."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._namespace = f"scoreboard-{os.getpid()}"

    @property
    def environment(self) -> dict[str, str]:
        """That of a program which is to use this engine."""
        # The engine of Debian has no BuildKit.
        return {**os.environ, "DOCKER_HOST": f"unix://{self.place}/socket", "DOCKER_BUILDKIT": "0"}

    def run(self, *command: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
        """Run a command that uses the engine to its end; returns what it printed."""
        variables = {**self.environment, **(environment or {})}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=cwd)
        assert done.returncode == 0, (
            f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done.stdout

    @contextmanager
    def building(self) -> Iterator[None]:
        """While it runs in the machine's network, without one of its own."""
        with self._running([], FOR_BUILDS):
            yield

    @contextmanager
    def isolated(self) -> Iterator[None]:
        """While it runs in a network namespace, and so does this thread: what containers publish is at 127.0.0.1."""
        subprocess.run(["ip", "netns", "add", self._namespace], check=True)
        try:
            subprocess.run(["ip", "-n", self._namespace, "link", "set", "lo", "up"], check=True)
            namespace = f"/run/netns/{self._namespace}"
            with self._running(["nsenter", f"--net={namespace}"], ()), _in_network(namespace):
                yield
        finally:
            subprocess.run(["ip", "netns", "delete", self._namespace], check=True)

    @contextmanager
    def _running(self, prefix: list[str], options: tuple[str, ...]) -> Iterator[None]:
        self.place.mkdir(parents=True, exist_ok=True)
        directories = ["--data-root", f"{self.place}/root", "--exec-root", f"{self.place}/exec", "--pidfile", f"{self.place}/pid"]
        with (self.place / "engine.log").open("a") as log:
            engine = subprocess.Popen(
                [*prefix, "dockerd", *directories, "--host", f"unix://{self.place}/socket", *options],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            eventually(lambda: engine.poll() is not None or self._answers(), START_SECONDS, "the engine answers")
            if engine.poll() is not None:
                raise CannotRun(f"dockerd does not start here:\n{(self.place / 'engine.log').read_text()[-2000:]}")
            yield
        finally:
            engine.terminate()
            engine.wait(60)
            self._unmount()

    def _answers(self) -> bool:
        command = ["docker", "version"]
        return subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode == 0

    def _unmount(self) -> None:
        """What the engine leaves mounted below its directory, the deepest first."""
        places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for place in sorted((place for place in places if place.startswith(f"{self.place}/")), reverse=True):
            subprocess.run(["umount", place], check=False)


@contextmanager
def _in_network(namespace: str) -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(descriptor, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter {path}")
        finally:
            os.close(descriptor)

    with contextlib.ExitStack() as stack:
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, before)
        enter(namespace)
        stack.callback(enter, f"/proc/self/fd/{before}")
        yield
