"""`tail`: what happens, as it happens, from the audit log."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, CliError
from local_runtime.cli.options import add_options, count, settings_from
from local_runtime.cli.output import printable, say, tell, terminal
from local_runtime.cli.running import LastingFunction, Moved

if TYPE_CHECKING:
    from rich.text import Text

FUNCTION = "follow_audit_log"
LAST = 10
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 30.0  # with an instance that runs and yet does not answer
EPILOG = """\
Shows the last entries of the audit log, and then each one that is added, newest last, none twice and none left out: accepted
updates, what admins and operators do (dead letters that are redriven, too), repairs, and refusals, which are counted and written
once a minute. It stays when the instance is stopped and goes on when it runs again. Ctrl-C ends it.

examples:
  scoreboard tail
  scoreboard tail --user ada --last 100
  scoreboard tail --action score_refused --json
  scoreboard tail --request-id 6d1a6e0b-7f6f-4b9e-8f55-0b9c4d0f8a11 --no-follow

exit codes:
  0  it was ended with Ctrl-C, or with --no-follow all was shown
  1  it failed
  2  bad usage, or no instance is running
"""

Show = Callable[[Mapping[str, Any], Mapping[str, str]], None]  # an entry, and the names of users by their ids


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which entries, and how."""
    parser.add_argument("--user", metavar="NAME", help="only what is about this user, or was done by them: a name or an id")
    parser.add_argument("--action", help="only this action, such as score_accepted")
    parser.add_argument("--request-id", metavar="ID", help="only what came of this request")
    parser.add_argument("--last", type=count, default=LAST, metavar="N", help=f"how many past entries to begin with ({LAST})")
    parser.add_argument("--after", type=count, metavar="ID", help="start after this entry instead: where an earlier `tail` ended")
    parser.add_argument("--no-follow", action="store_true", help="end when all that is there was shown")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, as export-audit writes them")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Shows entries until it is interrupted."""
    read = _Patient(LastingFunction(settings_from(arguments).data_dir, FUNCTION))
    filters = {"user": arguments.user, "action": arguments.action, "requestId": arguments.request_id}
    event: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
    event |= {"last": arguments.last} if arguments.after is None else {"after": arguments.after}
    show = _json_line if arguments.json else _printer()
    try:
        while True:
            part = read(event)
            for entry in part["entries"]:
                show(entry, part["usernames"])
            if part["after"] is not None:
                event["after"] = part["after"]
                if arguments.no_follow and not part["more"]:
                    return EXIT_OK
            if not part["more"]:
                time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        return EXIT_OK


class _Patient:
    """Asks again when an instance that has answered before does not; one that is not there is waited for without end."""

    def __init__(self, function: LastingFunction) -> None:
        self._function = function
        self._has_answered = False

    def __call__(self, event: object) -> Any:
        failing_since: float | None = None
        while True:
            try:
                answer = self._function(event)
            except CliError as error:
                if isinstance(error, Moved) or not self._has_answered:
                    raise
                now = time.monotonic()
                if failing_since is None:
                    failing_since = now
                    tell("the instance does not answer: waiting for it")
                if error.exit_code != EXIT_FAILED:
                    failing_since = now  # none is there
                elif now - failing_since > PATIENCE_SECONDS:
                    raise
                time.sleep(LOOK_SECONDS)
            else:
                if failing_since is not None:
                    tell("the instance answers again")
                self._has_answered = True
                return answer


def _json_line(entry: Mapping[str, Any], _usernames: Mapping[str, str]) -> None:
    say(json.dumps(entry, ensure_ascii=False))


def _printer() -> Show:
    console = terminal()
    if console is None:
        return lambda entry, usernames: say("  ".join(_parts(entry, usernames)))
    return lambda entry, usernames: console.print(_coloured(entry, usernames), soft_wrap=True)


def _parts(entry: Mapping[str, Any], usernames: Mapping[str, str]) -> list[str]:
    """When, what, who, and the rest."""
    actor, user_id = (usernames.get(name, name) for name in (entry["actor"], entry["userId"]))
    who = actor if user_id in (None, actor) else f"{actor} -> {user_id}"
    rest = [f"{name}={json.dumps(value)}" for name, value in entry["detail"].items()]
    rest += [f"from={entry['sourceIp']}"] if entry["sourceIp"] else []
    rest += [f"request={entry['requestId']}"] if entry["requestId"] else []
    return [printable(part) for part in (entry["at"], f"{entry['action']:<20}", who, " ".join(rest))]


def _coloured(entry: Mapping[str, Any], usernames: Mapping[str, str]) -> Text:
    from rich.text import Text

    at, action, who, rest = _parts(entry, usernames)
    style = "green" if action.startswith("score_accepted") else "red" if "reason" in entry["detail"] else "yellow"
    return Text("  ").join((Text(at, "dim"), Text(action, style), Text(who, "bold"), Text(rest, "dim")))
