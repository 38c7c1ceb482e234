"""A running instance's own stores in one file, and a data directory made of such a file.

What the ledger does not have yet is in the outbox, which is in Redis; an entry leaves it only after it is in PostgreSQL. So Redis
is copied first and PostgreSQL after it: together they hold every update that was acknowledged before the backup began, and the
broker, whose messages tell of nothing else, begins anew. Where PostgreSQL's copy is the newer one, the board is held against it
when the restored instance starts.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote, urlsplit

from local_runtime.instance.certificate import OWN_DIRECTORY
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.keyring import Keyring
from local_runtime.instance.servers import programs
from local_runtime.instance.servers.memory import Shares
from local_runtime.instance.servers.postgresql import PrivatePostgreSQL, major_version
from local_runtime.instance.servers.redis import PrivateRedis, snapshot_as_log
from local_runtime.instance.servers.run import StartFailed, running
from local_runtime.version import product_version

FORMAT = 1
ABOUT, SECRETS, REDIS, DATABASE = "backup.json", "secrets.json", "redis.rdb", "database.dump"
COPIES = {"redis": REDIS, "postgresql": DATABASE}
SNAPSHOT_SECONDS = 600.0
POLL_SECONDS = 0.1
COPY_BYTES = 1024 * 1024
Tell = Callable[[str], None]


class BackupFailed(Exception):
    """A store cannot be copied or filled; the message says why."""


def make_backup(directory: InstanceDirectory, runtime: Mapping[str, Any], file: Path, tell: Tell) -> None:
    """Write `file`, readable by its owner only. Raises InstanceError or BackupFailed, and leaves no file then."""
    own = [name for name in ("redis", "postgresql") if name in runtime["processes"]]
    about = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": product_version(),
        "stores": own,
        "made_by": {name: _made_by(name, directory) for name in own},
    }
    with _new_file(file) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        if "redis" in own:
            tell("copying Redis")
            with _redis_snapshot(directory, runtime["redis_url"]) as snapshot:
                _add(archive, REDIS, snapshot)
        if "postgresql" in own:
            tell("copying PostgreSQL")
            with _dump(runtime["database_url"]) as dump:
                _add(archive, DATABASE, dump)
        archive.writestr(SECRETS, directory.secrets_file.read_bytes())
        for path in sorted((directory.path / OWN_DIRECTORY).glob("*")):
            archive.write(path, f"{OWN_DIRECTORY}/{path.name}")
        archive.writestr(ABOUT, json.dumps(about, indent=2))


def restore_backup(file: Path, data_dir: Path, memory: Shares, tell: Tell) -> dict[str, Any]:
    """Make the data directory, which must not be there yet; returns what is known of the backup. The stores share `memory`.

    Both stores are started once, so that what cannot be read here is told now. Raises InstanceError or BackupFailed, and leaves
    nothing then.
    """
    with _written_to(data_dir):
        if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
            raise InstanceError(f"{data_dir} is there already: name a new one with --data-dir")
    about = _about(file)
    unfinished = data_dir.with_name(f"{data_dir.name}.restoring")
    if unfinished.exists():
        raise InstanceError(f"{unfinished} is there: another restore is at work, or was interrupted; then remove it")
    directory = InstanceDirectory(unfinished)
    with zipfile.ZipFile(file) as archive, _removed_on_failure(unfinished), _written_to(unfinished), directory.claimed():
        for name in archive.namelist():
            if name == SECRETS or _is_own_certificate(name):
                _extract(archive, name, unfinished / name)
        keyring = Keyring.load_or_make(directory.secrets_file)
        if REDIS in archive.namelist():
            tell("restoring Redis")
            _extract(archive, REDIS, unfinished / REDIS)
            snapshot_as_log(unfinished / REDIS, unfinished)
            with _explained(about, "redis"), running(PrivateRedis(unfinished, keyring.redis_password, memory)):
                pass
        if DATABASE in archive.namelist():
            tell("restoring PostgreSQL")
            postgresql = PrivatePostgreSQL(unfinished, keyring.database_password, memory)
            with _explained(about, "postgresql"), running(postgresql), archive.open(DATABASE) as dump:
                _load(postgresql.url, dump)
        if data_dir.is_dir():
            data_dir.rmdir()
        unfinished.rename(data_dir)
    return about


@contextlib.contextmanager
def _explained(about: Mapping[str, Any], store: str) -> Iterator[None]:
    """Where a store does not take what the backup holds: say what that is of, and what this machine has."""
    try:
        yield
    except (BackupFailed, StartFailed) as error:
        made_by = about.get("made_by", {}).get(store, "another version, which it does not say")
        raise BackupFailed(
            f"{error}\nthis machine has {_installed(store)}, and the backup is of {made_by}: restore it where there is that or a "
            "newer version"
        ) from None


def _made_by(store: str, directory: InstanceDirectory) -> str:
    if store == "postgresql":
        return f"PostgreSQL {major_version(directory.path / 'postgresql' / 'cluster')}"
    return _installed(store)


def _installed(store: str) -> str:
    if store == "postgresql":
        return f"PostgreSQL {programs.POSTGRES.version(programs.POSTGRES.require())}"
    path = programs.REDIS.require()
    return f"{programs.REDIS.brand(path)} {programs.REDIS.version(path)}"


def _about(file: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            if (damaged := archive.testzip()) is not None:
                raise InstanceError(f"{file} is damaged ({damaged}): use another backup")
            about: dict[str, Any] = json.loads(archive.read(ABOUT))
            is_newer, version = about["format"] > FORMAT, about["version"]
            missing = {SECRETS, *(COPIES[store] for store in about["stores"])}.difference(archive.namelist())
    except OSError as error:
        raise InstanceError(f"{file} cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise InstanceError(f"{file} is no backup, or was cut off ({error})") from None
    if is_newer:
        raise InstanceError(f"{file} was made by version {version}: restore it with that one or a newer one")
    if missing:
        raise InstanceError(f"{file} lacks {' and '.join(sorted(missing))}: use another backup")
    return about


@contextlib.contextmanager
def _new_file(file: Path) -> Iterator[IO[bytes]]:
    """A private file that gets its name when it is whole; never in the place of another."""
    if file.exists():
        raise InstanceError(f"{file} is there already: name another one")
    new = file.with_name(file.name + ".new")
    try:
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise InstanceError(f"{file} cannot be written: {error.strerror}") from None
    try:
        with _written_to(file):
            with os.fdopen(descriptor, "wb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            new.rename(file)
    finally:
        new.unlink(missing_ok=True)


@contextlib.contextmanager
def _written_to(place: Path) -> Iterator[None]:
    """Where a disk takes no more: BackupFailed, with what was to be written."""
    try:
        yield
    except OSError as error:
        raise BackupFailed(f"{error.filename or place} cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def _redis_snapshot(directory: InstanceDirectory, url: str) -> Iterator[IO[bytes]]:
    """Of the private Redis, in its own directory, for as long as the block lasts."""
    import redis

    file = directory.path / "redis" / "dump.rdb"
    file.unlink(missing_ok=True)
    try:
        with redis.Redis.from_url(url, socket_timeout=10.0) as client:
            client.bgsave(schedule=True)
            ends_at = time.monotonic() + SNAPSHOT_SECONDS
            while not file.exists():  # it gets its name when it is whole
                if _has_failed(client.info("persistence")) or time.monotonic() > ends_at:
                    raise BackupFailed(f"Redis cannot write {file}: see {file.with_name('redis.log')}")
                time.sleep(POLL_SECONDS)
        with file.open("rb") as snapshot:
            yield snapshot
    except redis.RedisError as error:
        raise BackupFailed(f"Redis cannot be copied: {error}") from None
    finally:
        file.unlink(missing_ok=True)


def _has_failed(status: Any) -> bool:
    is_at_work = status["rdb_bgsave_in_progress"] or status["aof_rewrite_in_progress"]  # after which it begins
    return not is_at_work and status["rdb_last_bgsave_status"] != "ok"


@contextlib.contextmanager
def _dump(url: str) -> Iterator[IO[bytes]]:
    """What pg_dump says of one instant; raises BackupFailed at the end where it failed."""
    arguments, environment = _client(url)
    command = [str(programs.PG_DUMP.require()), "--format=custom", "--no-owner", *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield cast("IO[bytes]", process.stdout)
        told = cast("IO[bytes]", process.stderr).read().decode(errors="replace").strip()
    if process.returncode != 0:
        raise BackupFailed(f"PostgreSQL cannot be copied: {told[:1000]}")


def _load(url: str, dump: IO[bytes]) -> None:
    arguments, environment = _client(url)
    command = [str(programs.PG_RESTORE.require()), "--no-owner", "--single-transaction", "--exit-on-error", *arguments]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        stdin = cast("IO[bytes]", process.stdin)
        with contextlib.suppress(BrokenPipeError):  # it says why
            shutil.copyfileobj(dump, stdin, COPY_BYTES)
            stdin.close()
        told = cast("IO[bytes]", process.stderr).read().decode(errors="replace").strip()
    if process.returncode != 0:
        raise BackupFailed(f"PostgreSQL cannot be restored: {told[:1000]}")


def _client(url: str) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment of PostgreSQL's own programs; a password among the arguments could be seen by all."""
    parts = urlsplit(url)
    arguments = [
        f"--host={parts.hostname}",
        f"--port={parts.port}",
        f"--username={unquote(parts.username or '')}",
        "--no-password",
    ]
    return [*arguments, f"--dbname={parts.path.lstrip('/')}"], {"PATH": os.defpath, "PGPASSWORD": unquote(parts.password or "")}


def _add(archive: zipfile.ZipFile, name: str, source: IO[bytes]) -> None:
    with archive.open(name, "w", force_zip64=True) as member:
        shutil.copyfileobj(source, member, COPY_BYTES)


def _is_own_certificate(name: str) -> bool:
    """Whether a member is a file right in that directory: another one could be written anywhere."""
    directory, _, file = name.partition("/")
    return directory == OWN_DIRECTORY and "/" not in file and file not in ("", ".", "..")


def _extract(archive: zipfile.ZipFile, name: str, place: Path) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out, archive.open(name) as member:
        shutil.copyfileobj(member, out, COPY_BYTES)


@contextlib.contextmanager
def _removed_on_failure(place: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        link = place / "postgresql"
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)
        raise
