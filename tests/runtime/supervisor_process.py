"""A supervisor over small programs, as a process of its own that tests can speak to, signal and kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from local_runtime.instance.probes import ReadyFile
from local_runtime.instance.supervisor.inbox import SignalInbox
from local_runtime.instance.supervisor.loop import StartFailed, StopRequested, StopStage, Supervisor
from local_runtime.instance.supervisor.process import ProcessSpec
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
PRELUDE = """
import os, pathlib, signal, subprocess, sys, time
ready_file, journal = map(pathlib.Path, sys.argv[1:])
def note(text):
    with journal.open("a") as file:
        file.write(text + "\\n")
def ready():
    new = ready_file.with_suffix(".new")
    new.write_text(str(os.getpid()))
    new.replace(ready_file)
def pause():
    while True:
        signal.pause()
"""
SLEEPER = "ready(); pause()"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready(); pause()"
NEVER_READY = "note('started'); pause()"


@dataclass
class Program:
    """One supervised program: Python source that may use what PRELUDE defines."""

    name: str
    source: str = SLEEPER
    stop_timeout_seconds: float = 60.0
    ready_timeout_seconds: float = 60.0


@dataclass
class Supervised:
    """A supervisor process with its programs; use it as a context manager."""

    directory: Path
    programs: list[Program]
    stages: list[list[str]] = field(default_factory=list)
    stop_seconds: float = 90.0
    process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start the supervisor, without waiting."""
        plan = {
            "directory": str(self.directory),
            "programs": [vars(program) for program in self.programs],
            "stages": self.stages,
            "stop_seconds": self.stop_seconds,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.runtime.supervisor_process", json.dumps(plan)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self

    def __enter__(self) -> Self:
        self.start()
        eventually(lambda: self.processes, 60, "the supervisor watches")
        return self

    def __exit__(self, *exc: object) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        for pid in self.processes.values():
            eventually(lambda pid=pid: not alive(pid), 60, f"{pid} gone")  # type: ignore[misc]

    @property
    def processes(self) -> dict[str, int]:
        """Names and pids, as the supervisor last told."""
        try:
            pids: dict[str, int] = json.loads((self.directory / "processes.json").read_text())
        except FileNotFoundError:
            return {}
        return pids

    @property
    def journal(self) -> list[str]:
        """What the programs have noted."""
        path = self.directory / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def signal(self, number: int) -> None:
        """To the supervisor."""
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, seconds: float = 100.0) -> tuple[int, str]:
        """Wait for its end; the exit code and all it printed."""
        assert self.process is not None
        output, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, output


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Lines:
    """An Observer that prints."""

    def starting(self, name: str) -> None:
        """See Observer."""

    def ready(self, name: str, seconds: float) -> None:
        """See Observer."""
        print("ready", name, flush=True)  # noqa: T201

    def ended(self, name: str, how: str, delay_seconds: float) -> None:
        """See Observer."""
        print("ended", name, how, delay_seconds, flush=True)  # noqa: T201

    def stopping(self, name: str) -> None:
        """See Observer."""
        print("stopping", name, flush=True)  # noqa: T201

    def stopped(self, name: str, seconds: float) -> None:
        """See Observer."""
        print("stopped", name, seconds >= 0, flush=True)  # noqa: T201

    def tick(self) -> None:
        """See Observer."""


def spec_of(program: Program, directory: Path) -> ProcessSpec:
    """How to start it."""
    ready_file = directory / f"{program.name}.ready"
    source = PRELUDE + textwrap.dedent(program.source)
    return ProcessSpec(
        name=program.name,
        argv=(sys.executable, "-S", "-E", "-c", source, str(ready_file), str(directory / "journal")),
        env={"PATH": os.environ["PATH"]},
        probe=ReadyFile(ready_file),
        log_file=directory / f"{program.name}.log",
        stop_timeout_seconds=program.stop_timeout_seconds,
        ready_timeout_seconds=program.ready_timeout_seconds,
    )


def marker_of(directory: Path) -> tuple[str, str]:
    """The marker of the supervised programs of this directory."""
    return "SUPERVISED_BY_TEST", directory.name


def main(plan: Mapping[str, Any]) -> int:
    """Supervise what the plan says; 1 and a message when a program does not start."""
    directory = Path(plan["directory"])

    def tell(processes: Mapping[str, int]) -> None:
        new = directory / "processes.new"
        new.write_text(json.dumps(dict(processes)))
        new.replace(directory / "processes.json")

    with SignalInbox() as inbox:
        supervisor = Supervisor(inbox, Lines(), marker_of(directory), tell)
        try:
            supervisor.launch(*(spec_of(Program(**program), directory) for program in plan["programs"]))
            supervisor.wait_ready()
            tell(supervisor.processes)
            supervisor.watch()
        except StartFailed as error:
            print(error, flush=True)  # noqa: T201
            return 1
        except StopRequested:
            pass
        finally:
            supervisor.stop([StopStage(tuple(names)) for names in plan["stages"]], plan["stop_seconds"])
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
