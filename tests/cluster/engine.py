"""A container engine of our own: all it makes is in a directory and a network namespace that go with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.machine import CannotRun, require_programs, require_root
from tests.cluster.namespaces import command_in, in_network, network_namespace
from tests.support.waiting import eventually

START_SECONDS = 60.0
PROGRAMS = {"docker": "docker.io", "dockerd": "docker.io", "mmdebstrap": "mmdebstrap", "ip": "iproute2", "openssl": "openssl"}
# A build fetches packages as this machine does; it needs no network of its own, and no rule of the machine's firewall is touched.
FOR_BUILDS = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")


def compose_command() -> list[str]:
    """Compose, of either generation; CannotRun when there is none."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise CannotRun("there is no docker-compose: apt-get install docker-compose")


def check_machine() -> None:
    """CannotRun unless containers can be built and run here."""
    require_root("an engine of one's own needs root")
    require_programs(PROGRAMS)
    compose_command()


class Engine:
    """dockerd below `place`, reached by its own socket."""

    def __init__(self, place: Path) -> None:
        self.place = place

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
        with self._running((), FOR_BUILDS):
            yield

    @contextmanager
    def isolated(self) -> Iterator[None]:
        """While it runs in a network namespace, and so does this thread: what containers publish is at 127.0.0.1."""
        with network_namespace() as namespace, self._running(command_in(namespace), ()), in_network(namespace):
            yield

    @contextmanager
    def _running(self, prefix: tuple[str, ...], options: tuple[str, ...]) -> Iterator[None]:
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
