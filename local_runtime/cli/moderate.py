"""`moderate`: take cheaters off the boards, and correct scores."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

from local_runtime.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, is_count, settings_from
from local_runtime.cli.output import ask, printable, say, show_table
from local_runtime.cli.running import FunctionFailed, function_of

FUNCTION = "manage_moderation"
SETS, DECISIONS = ("hide", "show"), ("hide", "show", "strike", "adjust", "undo")
ACTIONS = ("list", "entries", *DECISIONS)
EVERY_BOARD = "*"
DECISION_COLUMNS = ("id", "board", "player", "action", "what", "reason", "moderator", "moderatedAt", "undoneBy")
# How each action is said, beside the options that any may have.
USAGE = {
    "list": "moderate list BOARD [PLAYER]",
    "entries": "moderate entries BOARD PLAYER",
    "hide": "moderate hide BOARD PLAYER --reason TEXT, or --simulated or --network in the place of the player",
    "show": "moderate show BOARD PLAYER --reason TEXT, or --simulated or --network in the place of the player",
    "strike": "moderate strike BOARD PLAYER --entry REQUEST_ID --reason TEXT",
    "adjust": "moderate adjust BOARD PLAYER --value N --reason TEXT",
    "undo": "moderate undo BOARD ID --reason TEXT",
}
OF_ACTIONS = {
    "entry": ("strike",),
    "value": ("adjust",),
    "second": ("adjust",),
    "period": ("adjust",),
    "season": ("adjust",),
    "simulated": SETS,
    "network": SETS,
    "since": SETS,
    "until": SETS,
    "reason": DECISIONS,
}
OF_PLAYERS = ("simulated", "network", "since", "until")
EPILOG = """\
BOARD is the id of a board, `main`, or '*' (in quotes) for all; PLAYER is a name or an id. `hide` takes a player off what others
see, who goes on playing and is not told; `show` brings them back with everything. Of several at once it is said first who they
are. `strike` takes an entry out, by the request id that `entries` says; `adjust` adds one of yours; `undo` takes a decision back,
by the id that `list` says. Each is an entry with its reason that nobody edits, and stands in the audit log. docs/boards.md says
what else it means.

examples:
  scoreboard moderate hide '*' mallory --reason "plays with a bot"
  scoreboard moderate hide sprints --network 203.0.113.0/24 --since 2026-11-29T12:00:00Z --reason "bots"
  scoreboard moderate entries sprints mallory
  scoreboard moderate strike sprints mallory --entry 0b1f7d2e-3c4a-8d5e-9f60-718293a4b5c6 --reason "a short cut"
  scoreboard moderate adjust main mallory --value -20 --reason "counted twice by the game"
  scoreboard moderate list sprints
  scoreboard moderate undo sprints 17 --reason "it was no bot"

exit codes:
  0  done, or nobody was meant
  1  it failed, and nothing was decided
  2  bad usage, no --yes where nobody can be asked, or no instance is running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to decide, where, about whom, and why."""
    parser.add_argument("action", choices=ACTIONS, help="see decisions, see a player's entries, or decide")
    parser.add_argument("board", metavar="BOARD", help="the id of a board, `main`, or '*' for all")
    parser.add_argument("about", nargs="?", metavar="PLAYER|ID", help="the player; of `undo` the decision")
    parser.add_argument("--reason", help="why: it stands with the decision")
    parser.add_argument("--entry", metavar="REQUEST_ID", help="of `strike`: which entry")
    parser.add_argument("--value", type=int, metavar="N", help="of `adjust`: what is added, or entered")
    parser.add_argument("--second", type=int, metavar="N", help="of `adjust`: the second value")
    parser.add_argument("--period", help="of `adjust`: only in this one")
    parser.add_argument("--season", type=int, metavar="N", help="of `adjust`: in this season of the period, not the open one")
    parser.add_argument("--simulated", action="store_true", default=None, help="of `hide`, `show`: all simulated players")
    parser.add_argument("--network", help="of `hide`, `show`: who came from there; 203.0.113.0/24, 2001:db8::/48 or an address")
    parser.add_argument("--since", metavar="INSTANT", help="of --network: 2026-11-29T12:00:00Z or later")
    parser.add_argument("--until", metavar="INSTANT", help="of --network: before this")
    parser.add_argument("--yes", action="store_true", help="decide about several players without asking")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints a table, or what was decided."""
    event = _event(arguments)
    try:
        return _do(event, arguments)
    except FunctionFailed as error:
        if error.error_type != "UnknownUser" or "user" not in event:
            raise
        raise CliError(f"there is no player called {printable(event['user'])}") from None


def _do(event: dict[str, Any], arguments: argparse.Namespace) -> int:
    call = function_of(settings_from(arguments).data_dir, FUNCTION)
    match arguments.action:
        case "list":
            decisions, names = _pages(call, event)
            told = [_told(decision, names) for decision in decisions]
            show_table(DECISION_COLUMNS, [[_cell(decision, name) for name in DECISION_COLUMNS] for decision in told])
        case "entries":
            entries, _ = _pages(call, event)
            columns = list(dict.fromkeys(name for entry in entries for name in entry if name != "periods")) or ["requestId"]
            show_table(columns, [[_cell(entry, name) for name in columns] for entry in entries])
        case _ if "players" in event:
            _decide_about_several(call, event, arguments)
        case _:
            _tell(call(event))
    return EXIT_OK


def _event(arguments: argparse.Namespace) -> dict[str, Any]:
    action, about = arguments.action, arguments.about
    given = {name: getattr(arguments, name) for name in OF_ACTIONS if getattr(arguments, name) is not None}
    for name in given:
        if action not in OF_ACTIONS[name]:
            raise CliError(f"--{name} is not for `{action}`; usage: scoreboard {USAGE[action]}", EXIT_USAGE)
    is_set = any(name in given for name in OF_PLAYERS)
    needed = {"strike": ["entry"], "adjust": ["value"]}.get(action, [])
    needed += ["reason"] if action in DECISIONS else []
    missing = [f"--{name}" for name in needed if name not in given]
    if missing or (action != "list" and (about is None) != is_set):
        what = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; " if missing else ""
        raise CliError(f"{what}usage: scoreboard {USAGE[action]}", EXIT_USAGE)
    event: dict[str, Any] = {"action": action, "board": arguments.board}
    event |= {"requestId" if name == "entry" else name: value for name, value in given.items() if name not in OF_PLAYERS}
    if action == "undo":
        if not is_count(about):
            raise CliError(f"{about} is no id of a decision: `moderate list {arguments.board}` says them", EXIT_USAGE)
        return {**event, "entryId": int(about)}
    if is_set:
        return {**event, "players": {name: given[name] for name in OF_PLAYERS if name in given}}
    return event if about is None else {**event, "user": about}


def _pages(call: Callable[[object], Any], event: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], Mapping[str, str]]:
    """All rows that there are, and the names of users by their ids."""
    rows: list[Mapping[str, Any]] = []
    names: dict[str, str] = {}
    cursor = ""
    while True:
        page = call({**event, "cursor": cursor})
        rows += page["data"]
        names |= page.get("usernames", {})
        if page["nextCursor"] is None:
            return rows, names
        cursor = page["nextCursor"]


def _decide_about_several(call: Callable[[object], Any], event: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    found = call({**event, "preview": True})
    if not found["players"]:
        say("nobody is meant, or it changes nothing for them")
        return
    where = "every board" if arguments.board == EVERY_BOARD else arguments.board
    say(f"{found['players']} {_players(found['players'])} on {where}:")
    for player in found["first"]:
        say(f"  {printable(player['username'])}  {player['userId']}")
    if found["players"] > len(found["first"]):
        say(f"  and {found['players'] - len(found['first'])} more")
    ask(f"{arguments.action} them?", is_agreed=arguments.yes)
    done = call(event)
    say(f"{done['players']} {_players(done['players'])}: done")


def _players(count: int) -> str:
    return "player" if count == 1 else "players"


def _tell(done: Mapping[str, Any]) -> None:
    entry = done["entry"]
    say(f"decision {entry['id']}: {entry['action']}" + ("" if done["changed"] else "; it changes nothing"))
    for score in done.get("scores", ()):
        second = f", {score['second']}" if score.get("second") is not None else ""
        has = "nothing" if score["score"] is None else f"{score['score']}{second}"
        say(f"  {score['period']}, season {score['season']}: {has}")


def _told(decision: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """With names in the place of ids, and what it was of in one member."""
    struck, undoes, value = decision.get("struck"), decision.get("undoes"), decision.get("value")
    player, moderator = (names.get(user_id, user_id) for user_id in (decision["userId"], decision["moderator"]))
    what = struck or (f"decision {undoes}" if undoes else value)
    return {**decision, "player": player, "moderator": moderator, "what": what}


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
