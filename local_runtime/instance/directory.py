"""The data directory: claimed by one instance at a time, and the place of runtime.json."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_runtime.instance.errors import InstanceError

MEMORY = Path("/dev/shm")  # noqa: S108 - the directory made in it is the user's own
LEAST_MEMORY_BYTES = 16 * 1024 * 1024


def consumer_name(number: int) -> str:
    """What the consumer processes are called: `consumer`, `consumer.2` and so on."""
    return "consumer" if number == 1 else f"consumer.{number}"


@dataclass(frozen=True, slots=True)
class InstanceDirectory:
    """Paths under the data directory, and what may be done with them by whoever holds the lock."""

    path: Path

    @property
    def run(self) -> Path:
        """What means nothing once the instance has ended; a link into memory where that can be, so that it needs no disk."""
        return self.path / "run"

    @property
    def manifest_file(self) -> Path:
        """What is hosted, for the processes that host it."""
        return self.run / "manifest"

    @property
    def metrics(self) -> Path:
        """What the processes count, for whoever of them is asked for /metrics."""
        return self.run / "metrics"

    @property
    def logs(self) -> Path:
        """The log files of the product's own processes."""
        return self.path / "logs"

    @property
    def runtime_file(self) -> Path:
        """How to reach the running instance; there only while it runs."""
        return self.path / "runtime.json"

    @property
    def secrets_file(self) -> Path:
        """Passwords and keys, made once."""
        return self.path / "secrets.json"

    def ready_file(self, name: str) -> Path:
        """Where a process writes its pid when it serves."""
        return self.run / f"{name}.ready"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the directory and hold its lock; InstanceError when another instance does."""
        lock_file = self.path / "lock"
        try:
            self.make()
            descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise InstanceError(
                f"the data directory {self.path} cannot be used: {error.strerror}; choose one with --data-dir"
            ) from None
        with os.fdopen(descriptor, "r+") as lock:
            if not _try_lock(lock.fileno()):
                raise InstanceError(
                    f"the data directory {self.path} is in use by the instance with pid {lock.read().strip() or 'unknown'}: "
                    f"stop it with `scoreboard down --data-dir {self.path}` or choose another with --data-dir"
                )
            lock.truncate()
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    @contextmanager
    def changing_keys(self) -> Iterator[None]:
        """Be the only one who changes the keys; InstanceError while somebody else does, or where this user may not."""
        try:
            lock = (self.path / "keys.lock").open("a")
        except OSError as error:
            raise InstanceError(f"the keys in {self.path} cannot be changed: {error.strerror}") from None
        with lock:
            if not _try_lock(lock.fileno()):
                raise InstanceError("the keys are just being changed by another `rotate-keys`: try again when it has ended")
            yield

    def make(self) -> None:
        """Make the directory, if there is none."""
        if self.path.is_dir():
            return
        self.path.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:
            # PostgreSQL runs under an account of its own then and has to pass through; all that lies here is private itself.
            self.path.chmod(0o711)

    def holder(self) -> int | None:
        """The pid of the instance that runs here, None when none does; 0 when it has not said yet."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), (self.path / "lock").open("r+") as lock:
            if not _try_lock(lock.fileno()):
                pid = lock.read().strip()
                return int(pid) if pid.isdecimal() else 0
        return None

    def new_instance_id(self) -> tuple[str, str]:
        """An id for the instance that starts, unlike any other's, and the one that used this directory before, or "".

        Not one that stays: a copy of the directory, started elsewhere, must be another instance.
        """
        file = self.path / "instance-id"
        former = file.read_text().strip() if file.exists() else ""
        instance_id = secrets.token_hex(6)
        file.write_text(f"{instance_id}\n")
        return instance_id, former

    def begin_run(self) -> None:
        """An empty `run`, whatever an instance that did not end cleanly has left."""
        self.remove_runtime()
        self.make_run()

    def make_run(self) -> None:
        """An empty `run` in the place of the one there was."""
        self.end_run()
        if (memory := _memory()) is None:
            self.run.mkdir(mode=0o700)
        else:
            self.run.symlink_to(tempfile.mkdtemp(prefix=self._memory_prefix(), dir=memory))

    def end_run(self) -> None:
        """Remove `run` and what it leads to."""
        if self.run.is_symlink():
            self.run.unlink()
        elif self.run.exists():
            shutil.rmtree(self.run)
        if (memory := _memory()) is not None:
            for left in memory.glob(f"{self._memory_prefix()}*"):
                shutil.rmtree(left, ignore_errors=True)

    def _memory_prefix(self) -> str:
        return f"scoreboard-{hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:16]}-"

    def read_runtime(self) -> dict[str, Any] | None:
        """What the running instance says of itself."""
        try:
            document: dict[str, Any] = json.loads(self.runtime_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return document

    def write_runtime(self, document: Mapping[str, Any]) -> None:
        """Replace runtime.json as a whole."""
        write_private_json(self.runtime_file, document)

    def remove_runtime(self) -> None:
        """Say that nothing runs here any more."""
        self.runtime_file.unlink(missing_ok=True)


def write_private_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a file that only its owner may read; a reader sees the old one or the new one."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _memory() -> Path | None:
    """Where files are kept in memory; None where this system has no such place, or no room in it."""
    with contextlib.suppress(OSError):
        room = os.statvfs(MEMORY)
        if os.access(MEMORY, os.W_OK | os.X_OK) and room.f_bavail * room.f_frsize > LEAST_MEMORY_BYTES:
            return MEMORY
    return None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
