"""`boards`: which boards there are, and what a file says they shall be."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_runtime.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import ask, printable, say, show_table
from local_runtime.cli.running import function_of

FUNCTION = "manage_boards"
ACTIONS = ("list", "show", "apply", "reset", "move", "delete")
ALL_TIME = "all_time"
COLUMNS = ("id", "title", "order", "operator", "periods", "write", "public")
EPILOG = """\
`apply` makes the boards that a YAML file defines, or changes them: it says first what it would do, asks, and does it. Applied
again the file changes nothing; boards that are not in it are left alone. `show` writes one as such a file has it. `reset`
ends the open season of a period now, and the next one begins; `all_time` is never reset. `move` takes a board to another shard
(REDIS_SHARDS), while players enter: for a moment they are told to come again, and nothing is lost. `delete` makes a board
unknown; the ledger keeps its entries. What may be said of a board is in docs/boards.md.

examples:
  scoreboard boards list
  scoreboard boards show sprints
  scoreboard boards apply boards.yaml
  scoreboard boards apply boards.yaml --yes
  scoreboard boards reset sprints --period weekly
  scoreboard boards move sprints blue
  scoreboard boards delete sprints --yes

exit codes:
  0  done, or there was nothing to do
  1  it failed: a board was refused, and nothing was changed
  2  bad usage, a file that cannot be read, no --yes where nobody can be asked, or no instance is running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which board or file."""
    parser.add_argument(
        "action", choices=ACTIONS, help="show all, show one, do what a file says, end a season, move or delete one"
    )
    parser.add_argument(
        "what", nargs="?", metavar="ID|FILE", help="the board to show, reset, move or delete; the file to apply, - for stdin"
    )
    parser.add_argument("shard", nargs="?", metavar="SHARD", help="of `move`: where to; `main` is the first one")
    parser.add_argument("--period", help="of `reset`: which one; needed where several can be reset")
    parser.add_argument("--yes", action="store_true", help="apply, reset or delete without asking")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints a table, a board, or a plan and what became of it."""
    action, what = arguments.action, arguments.what
    if (what is None) != (action == "list") or (arguments.shard is None) == (action == "move"):
        usage = {"list": "boards list", "apply": "boards apply FILE", "move": "boards move ID SHARD"}.get(
            action, f"boards {action} ID"
        )
        raise CliError(f"usage: scoreboard {usage}", EXIT_USAGE)
    given = _read(what) if action == "apply" else {}
    call = function_of(settings_from(arguments).data_dir, FUNCTION)
    match action:
        case "list":
            boards = call({"action": "list"})["data"]
            columns = (*COLUMNS, "shard") if any("shard" in board for board in boards) else COLUMNS
            show_table(columns, [[_cell(board[column]) for column in columns] for board in boards])
        case "show":
            _show(call({"action": "show", "id": what}))
        case "apply":
            plan = call({"action": "plan", "boards": given})
            _show_plan(plan)
            _see_refusals(plan, what)
            if any(step["change"] != "none" for step in plan["boards"]):
                ask("apply this?", is_agreed=arguments.yes)
                _see_refusals(call({"action": "apply", "boards": given}), what)
                say("done")
        case "reset":
            season = _to_be_reset(call({"action": "show", "id": what}), arguments.period)
            ask(_said_of(what, season), is_agreed=arguments.yes)
            began = call({"action": "reset", "id": what, "period": season["period"]})["began"]
            say(f"{what}: season {began['season']} of {began['period']} began at {began['startsAt']}")
        case "move":
            moved = call({"action": "move", "id": what, "shard": arguments.shard})
            say(f"{what} {'is now' if moved['moved'] else 'was already'} in the shard {moved['shard']}")
        case _:
            call({"action": "show", "id": what})
            ask(f"delete {what}? Nobody reads or writes it any more", is_agreed=arguments.yes)
            call({"action": "delete", "id": what})
            say(f"{what} deleted")
    return EXIT_OK


def _to_be_reset(board: Mapping[str, Any], period: str | None) -> Mapping[str, Any]:
    """The open season that is meant; CliError says which there are."""
    seasons: dict[str, Mapping[str, Any]] = {
        season["period"]: season for season in board["seasons"] if season["period"] != ALL_TIME
    }
    if period is None and len(seasons) == 1:
        return next(iter(seasons.values()))
    if period is None and seasons:
        raise CliError(f"say which one: --period {' or --period '.join(seasons)}", EXIT_USAGE)
    if period in seasons:
        return seasons[period]
    periods = [each["name"] for each in board["periods"]]
    if period is not None and period not in periods:
        raise CliError(f"{board['id']} has no period `{printable(period)}`; it has: {', '.join(periods)}", EXIT_USAGE)
    others = [f"`{name}`" for name in periods if name != ALL_TIME]
    if not others:
        raise CliError(f"`{ALL_TIME}` is never reset, and {board['id']} has no other period", EXIT_USAGE)
    if period == ALL_TIME:
        raise CliError(f"`{ALL_TIME}` is never reset; {' and '.join(others)} can be", EXIT_USAGE)
    raise CliError(f"{board['id']}: no season of {f'`{period}`' if period else ' or '.join(others)} is open", EXIT_USAGE)


def _said_of(board_id: str, season: Mapping[str, Any]) -> str:
    would = f"would last until {season['endsAt']}" if season["endsAt"] else "has no other end"
    return (
        f"end season {season['season']} of {season['period']} of {board_id} now? It began at {season['startsAt']} and {would}."
        f" Everybody begins anew in season {season['season'] + 1}; the final ranks stay"
    )


def _read(file: str) -> dict[str, Any]:
    """What a file says under `boards`; CliError tells what is wrong with it, and where."""
    import yaml

    from local_runtime.cli.yaml_file import read_plain

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        document = read_plain(text)
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}", EXIT_USAGE) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CliError(f"{file} is not valid YAML: {error}", EXIT_USAGE) from None
    if not isinstance(document, dict) or not isinstance(document.get("boards"), dict):
        raise CliError(f"{file}: the file must have `boards:`, and below it definitions by the ids of boards", EXIT_USAGE)
    unknown = [name for name in document if name != "boards"]
    if unknown:
        raise CliError(f"{file}: `{unknown[0]}` is unknown beside `boards`", EXIT_USAGE)
    boards: dict[str, Any] = document["boards"]
    try:
        json.dumps(boards)
    except (TypeError, ValueError):
        raise CliError(f"{file}: nothing but texts, numbers, true, false, lists and mappings can be in it", EXIT_USAGE) from None
    for board_id in boards:
        if not isinstance(board_id, str):
            raise CliError(f"{file}: the id of the board {board_id!r} is no text: put it in quotes", EXIT_USAGE)
    return {board_id: {} if members is None else members for board_id, members in boards.items()}


def _show_plan(plan: Mapping[str, Any]) -> None:
    """What would be done with each board."""
    for step in plan["boards"]:
        match step["change"]:
            case "create" | "change":
                say(f"{step['change']} {step['id']}")
                for member, change in step["differences"].items():
                    before = "" if step["change"] == "create" else f"{_written(change['from'])} → "
                    say(f"  {member}: {before}{_written(change['to'])}")
            case "none":
                say(f"unchanged {step['id']}")
    if plan["others"]:
        say(f"not in the file, left alone: {', '.join(plan['others'])}")


def _see_refusals(plan: Mapping[str, Any], file: str) -> None:
    """CliError tells of all."""
    refused = [step for step in plan["boards"] if step["change"] == "refused"]
    if refused:
        raise CliError("\n".join(f"{file}: {printable(step['id'])}: {printable(step['detail'])}" for step in refused))


def _written(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False))


def _show(board: Mapping[str, Any]) -> None:
    """As a file has it, its open seasons in comments."""
    import yaml

    for season in board["seasons"]:
        last = "for good" if season["period"] == ALL_TIME else "until it is reset"
        until = f"until {season['endsAt']}" if season["endsAt"] else last
        since = f" since {season['startsAt']}" if season["startsAt"] else ""
        say(f"# {season['period']}: season {season['season']}{since}, {until}")
    members = {name: value for name, value in board.items() if name not in ("id", "seasons")}
    text = yaml.safe_dump({"boards": {board["id"]: members}}, sort_keys=False, allow_unicode=True, width=120)
    say(text.rstrip())


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(period["name"] for period in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(value)
