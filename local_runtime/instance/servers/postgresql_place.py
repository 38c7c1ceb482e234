"""Where a private PostgreSQL keeps its data: below the data directory, or outside and linked to, where root cannot let it in."""

from __future__ import annotations

import json
import logging
import os
import pwd
import secrets
import subprocess
from contextlib import suppress
from pathlib import Path

from local_runtime.instance.servers.certificates import write_private
from local_runtime.instance.servers.errors import ServerError

OUTSIDE_DIRECTORY = Path("/var/lib/scoreboard")
TOKENS_FILE = "postgresql.tokens"  # in the data directory: the last two tokens of its starts
USED_BY_FILE = "used-by.json"  # in the directory outside: the data directory that started on it last, and the token of that start
logger = logging.getLogger(__name__)


class PostgreSQLError(ServerError):
    """The cluster cannot be made or reached; the message says why."""


def account_entry(account: str) -> pwd.struct_passwd:
    """The account that PostgreSQL runs under; PostgreSQLError where there is none."""
    try:
        return pwd.getpwnam(account)
    except KeyError:
        raise PostgreSQLError(f"PostgreSQL does not run as root, and there is no account {account} to drop to") from None


def find_place(link: Path, account: str | None) -> Path:
    """The directory of PostgreSQL's data, made if it is new; `link` is `<data_dir>/postgresql`.

    Where root runs the instance and `account` cannot pass through a parent of the data directory, it is a link to a directory
    under /var/lib/scoreboard. A data directory that was moved keeps what it links to; one that was copied gets a copy of it.
    """
    if link.is_symlink():
        place = link.resolve()
        _see_that_it_is_there(link, place)
        tokens = _tokens(link)
        _see_that_it_is_not_older(link, place, tokens)
        if (other := _another_user(link, place)) is not None:
            place = _copied(link, place, other)
        _note(link, place, tokens)
        return place
    if account is None or _reachable(link.parent, account_entry(account)):
        link.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif link.is_dir():
        raise PostgreSQLError(
            f"the account {account} can no longer reach {link}: a directory above it is private. "
            f"Make it passable again (chmod o+x), or move the data directory"
        )
    else:
        place = _new_outside(link)
        logger.warning("%s cannot be reached by the account %s: PostgreSQL's data is in %s", link, account, place)
        link.symlink_to(place)
        _note(link, place, [])
    return link.resolve()


def _new_outside(link: Path) -> Path:
    # Never named after the data directory alone: that may have been moved since, and still use what it links to.
    place = OUTSIDE_DIRECTORY / f"{link.parent.name.lstrip('.')}-{secrets.token_hex(8)}"
    place.mkdir(mode=0o700, parents=True)
    OUTSIDE_DIRECTORY.chmod(0o755)
    return place


def _see_that_it_is_there(link: Path, place: Path) -> None:
    if not place.is_dir():
        raise PostgreSQLError(
            f"{link} leads to {place}, which is not there: PostgreSQL's data did not come along with the data directory. "
            "Bring it to that place, or bring the instance over with `scoreboard backup` and `restore`"
        )


def _see_that_it_is_not_older(link: Path, place: Path, tokens: list[str]) -> None:
    used = _used_by(place)
    if used and used["token"] not in tokens:
        raise PostgreSQLError(
            f"{link.parent} is an older copy: PostgreSQL's data in {place} has been used since by {used['data_dir']}. "
            "Start that one, copy it while it is stopped, or use `scoreboard backup` and `restore`"
        )


def _another_user(link: Path, place: Path) -> Path | None:
    """The data directory that this one is a copy of, if that is still there."""
    used = _used_by(place)
    other = Path(used["data_dir"]) / link.name if used else link
    with suppress(OSError):
        if not other.parent.samefile(link.parent) and other.is_symlink() and other.resolve() == place:
            return other.parent
    return None


def _copied(link: Path, place: Path, other: Path) -> Path:
    """A copy for this data directory, made while nothing uses the original."""
    pid_file = place / "cluster" / "postmaster.pid"
    if pid_file.exists():
        raise PostgreSQLError(
            f"{link.parent} is a copy of {other}, which did not end cleanly or runs: start and stop that one, then copy it again"
        )
    copy = _new_outside(link)
    done = subprocess.run(["cp", "-a", f"{place}/.", str(copy)], capture_output=True, text=True, check=False)  # noqa: S607
    if done.returncode:
        raise PostgreSQLError(f"PostgreSQL's data in {place} cannot be copied: {done.stderr.strip()[:300]}")
    new = link.with_name(link.name + ".new")
    new.unlink(missing_ok=True)
    new.symlink_to(copy)
    new.replace(link)
    return copy


def _tokens(link: Path) -> list[str]:
    try:
        return (link.parent / TOKENS_FILE).read_text().split()
    except FileNotFoundError:
        return []


def _used_by(place: Path) -> dict[str, str]:
    try:
        used: dict[str, str] = json.loads((place / USED_BY_FILE).read_text())
    except FileNotFoundError:  # an older version has used it
        return {}
    return used


def _note(link: Path, place: Path, tokens: list[str]) -> None:
    """A new token at both places, here first: one that was interrupted finds the one before."""
    token = secrets.token_hex(8)
    write_private(link.parent / TOKENS_FILE, " ".join([token, *tokens[:1]]).encode())
    write_private(place / USED_BY_FILE, json.dumps({"data_dir": str(link.parent.resolve()), "token": token}).encode())


def _reachable(directory: Path, entry: pwd.struct_passwd) -> bool:
    """Whether the account may pass through `directory` and every parent of it."""
    directory = directory.resolve()
    for place in (directory, *directory.parents):
        status = place.stat()
        if status.st_uid == entry.pw_uid:
            bit = 0o100
        elif status.st_gid == entry.pw_gid:
            bit = 0o010
        else:
            bit = 0o001
        if not status.st_mode & bit:
            return False
    return True


def own_all(place: Path, account: str) -> None:
    """Give everything to the account, as far as it has another owner: what was copied, or comes from another machine."""
    entry = account_entry(account)
    for path in (place, *place.rglob("*")):
        with suppress(FileNotFoundError):  # a server that runs makes and removes files
            if path.lstat().st_uid != entry.pw_uid:
                os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
