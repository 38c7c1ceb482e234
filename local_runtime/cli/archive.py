"""`archive`: old months of the ledger and the audit log, in the database and in files."""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from local_runtime.cli.archive_file import MEMBERS, UnusableFile, Verified, foreign, is_row, lines_of, verified
from local_runtime.cli.archive_seals import problems_with_seals
from local_runtime.cli.command import pasteable
from local_runtime.cli.complete_file import compressed_file
from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import ask, say, show_table
from local_runtime.cli.running import function_of

FUNCTION = "manage_archive"
ACTIONS = ("list", "export", "verify", "show", "drop", "restore")
COLUMNS = ("kind", "part", "state", "rows", "recordedUntil")
LINES_AT_ONCE = 5000
MAX_PAGE_BYTES = 2_000_000
EPILOG = """\
Updates older than HISTORY_MONTHS are moved out of the table `score_history` by themselves, and sealed rows older than
AUDIT_MONTHS out of `audit_log`, into a part for each month, which is read like the rest. `export` writes each part that is
complete and in no file yet into a file of its own; with --drop it reads the file once more and takes the part out of the
database. `verify` says whether files are what was exported, and whether the rows of the audit log are those that were sealed;
`show` prints what is in them as JSON lines, and `restore` puts a part back. Scores do not change by any of this. In files of
the audit log hashes stand for what is personal. Keep the files where they are backed up: what was dropped is nowhere else.

examples:
  scoreboard archive list
  scoreboard archive export /srv/archive
  scoreboard archive export /srv/archive --part 2026-07 --drop
  scoreboard archive verify /srv/archive/*.jsonl.gz
  scoreboard archive show /srv/archive/score_history-2026-07.jsonl.gz --user-id 0f8a7d5e-53a4-4a3c-9d1e-2b7c4e6f8a90
  scoreboard archive restore /srv/archive/score_history-2026-07.jsonl.gz

exit codes:
  0  done
  1  it failed, as on a full disk; or a file is not what was exported
  2  bad usage, such as a directory for the files that is none; or no instance is running
"""
Call = Callable[[object], Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with which parts or files."""
    parser.add_argument("action", choices=ACTIONS, help="show the parts; write, check, print, drop or restore files")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE|DIR", help="the files; of `export` the directory for them")
    parser.add_argument(
        "--part",
        action="append",
        dest="parts",
        metavar="MONTH",
        help="export only this one; may be repeated",
    )
    parser.add_argument("--drop", action="store_true", help="of `export`: take the parts out of the database, too")
    parser.add_argument("--user-id", metavar="ID", help="of `show`: only this player's (in the audit log: their hash)")
    parser.add_argument("--request-id", metavar="ID", help="of `show`: only this update")
    parser.add_argument("--yes", action="store_true", help="drop without asking")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints the parts, or what became of each file."""
    files: Sequence[Path] = arguments.files
    if arguments.action == "show":
        for path in _given(files):
            _show(path, arguments.user_id, arguments.request_id)
        return EXIT_OK
    call = function_of(settings_from(arguments).data_dir, FUNCTION)
    match arguments.action:
        case "list":
            _list(call({"action": "list"})["data"])
        case "export":
            if len(files) != 1 or not files[0].is_dir():
                raise CliError("name the directory for the files: archive export DIR", EXIT_USAGE)
            return _export(call, files[0], arguments.parts or (), drop=arguments.drop, is_agreed=arguments.yes)
        case "verify":
            sound = [_verify(call, path) for path in _given(files)]
            return EXIT_OK if all(sound) else EXIT_FAILED
        case "drop":
            _drop(call, _given(files), is_agreed=arguments.yes)
        case _:
            for path in _given(files):
                _restore(call, verified(path))
    return EXIT_OK


def _given(files: Sequence[Path]) -> Sequence[Path]:
    if not files:
        raise CliError("name the files", EXIT_USAGE)
    return files


def _list(parts: Sequence[Mapping[str, Any]]) -> None:
    if not parts:
        say("nothing is older than HISTORY_MONTHS or AUDIT_MONTHS yet")
        return
    show_table(COLUMNS, [["" if part[column] is None else str(part[column]) for column in COLUMNS] for part in parts])


def _export(call: Call, directory: Path, wanted: Sequence[str], *, drop: bool, is_agreed: bool) -> int:
    """Those wanted, of both kinds, or all that are in no file, and with `drop` also those that are."""
    parts = call({"action": "list"})["data"]
    if unknown := [name for name in wanted if name not in {part["part"] for part in parts}]:
        raise CliError(f"there is no part {', '.join(unknown)}: `scoreboard archive list` shows them", EXIT_USAGE)
    chosen = [part for part in parts if (part["part"] in wanted if wanted else part["state"] == "kept")]
    paths = [directory / f"{part['kind']}-{part['part']}.jsonl.gz" for part in chosen]
    for part, path in zip(chosen, paths, strict=True):
        rows = _write(call, part, path)
        say(f"{path}: {rows} rows")
    if not chosen:
        say("every complete part is in a file already; name one with --part to write it again")
    elif drop:
        _drop(call, paths, is_agreed=is_agreed)
    return EXIT_OK


def _write(call: Call, part: Mapping[str, Any], path: Path) -> int:
    named = {"kind": part["kind"], "part": part["part"]}
    digest, rows = hashlib.sha256(), 0
    after: int | None = 0
    with compressed_file(path) as file:
        while after is not None:
            page = call({"action": "read", **named, "after": after})
            for line in page["lines"]:
                digest.update(data := f"{line}\n".encode())
                file.write(data)
            rows, after = rows + sum(map(is_row, page["lines"])), page["after"]
        last = call({"action": "sign", **named, "rows": rows, "digest": digest.hexdigest()})
        file.write(f"{json.dumps(last)}\n".encode())
    return rows


def _verify(call: Call, path: Path) -> bool:
    """Whatever is wrong with one file, those behind it are checked, too."""
    try:
        file = verified(path)
        told = call({"action": "check", "file": file.last})
        problems = problems_with_seals(call, file)
    except UnusableFile as error:
        say(pasteable(str(error)))
        return False
    except CliError as error:
        say(f"{path}: could not be checked: {error}")
        return False
    for problem in problems:
        say(f"{path}: {problem}")
    if told["genuine"]:
        state = {None: "this installation does not know the part"}.get(told["state"], f"in the database: {told['state']}")
        say(f"{path}: {file.about['rows']} rows, as exported; {state}")
    elif told["genuine"] is None:
        say(f"{path}: complete, but signed with a key that is not among PAYLOAD_KEYS any more")
    else:
        say(f"{path}: its last line was changed, or is not one of ours")
    return told["genuine"] is True and not problems


def _drop(call: Call, paths: Sequence[Path], *, is_agreed: bool) -> None:
    """Read the files once more; rows of the audit log that are not what was sealed stay where `verify-audit` finds them."""
    files = [verified(path) for path in paths]
    for file in files:
        if problems := problems_with_seals(call, file):
            raise CliError(f"{file.path}: {problems[0]}; it stays in the database, where `verify-audit` tells of it")
    ask(f"take {_named(files)} out of the database?", is_agreed=is_agreed)
    for file in files:
        part = call({"action": "drop", "file": file.last})
        say(f"{part['kind']} {part['part']} is in {file.path} alone")


def _restore(call: Call, file: Verified) -> None:
    begins, attempt = True, secrets.token_hex(8)
    for lines, ends in _pages(lines_of(file.path)):
        call({"action": "restore", "file": file.last, "lines": lines, "begins": begins, "ends": ends, "attempt": attempt})
        begins = False
    say(f"{file.about['kind']} {file.about['part']} is in the database again: {file.about['rows']} rows")


def _show(path: Path, user_id: str | None, request_id: str | None) -> None:
    file = verified(path)
    for line in filter(is_row, lines_of(path)):
        entry = _entry(file, line)
        if (user_id is None or entry["userId"] == user_id) and (request_id is None or entry["requestId"] == request_id):
            say(json.dumps(entry))


def _entry(file: Verified, line: str) -> Mapping[str, Any]:
    try:
        entry = dict(zip(MEMBERS[file.about["kind"]], json.loads(line), strict=True))
        at = {"at": _instant(_microseconds(entry["at"]))} if "at" in entry else {"createdAt": _instant(entry["createdAt"])}
    except (ValueError, TypeError, ArithmeticError, RecursionError):
        raise foreign(file.path) from None
    return entry | at


def _microseconds(seconds: str) -> int:
    return int(Decimal(seconds) * 1_000_000)


def _instant(microseconds: int) -> str:
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _pages(lines: Iterator[str]) -> Iterator[tuple[list[str], bool]]:
    """Lines, a page after the other, each with whether it is the last one."""
    page: list[str] = []
    size = 0
    for line in lines:
        size += len(json.dumps(line))
        if page and (len(page) == LINES_AT_ONCE or size > MAX_PAGE_BYTES):
            yield page, False
            page, size = [], len(json.dumps(line))
        page.append(line)
    yield page, True


def _named(files: Sequence[Verified]) -> str:
    return ", ".join(f"{file.about['kind']} {file.about['part']} ({file.about['rows']} rows)" for file in files)
