"""`rotate-keys`: new keys for access tokens and for what is sealed."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say, tell
from local_runtime.cli.running import invoke_function, running_instance
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.keyring import Keyring
from local_runtime.instance.supervisor.inbox import RELOAD_SIGNAL

TAKEN_SECONDS = 90.0
_POLL_SECONDS = 0.1
EPILOG = """\
A new first key signs access tokens, and another one encrypts what goes through the broker and signs tickets and the audit log.
The old ones are kept behind them, so whatever they have made stays good. A running instance replaces its processes one after
the other: requests in flight are answered, those that come meanwhile wait for a moment, none is refused. Other instances on the
same stores need the new keys as well: until they have them (see `keys`) they record nothing that is sealed with those.

With --drop-old no new key is made but the old ones are given up. That is refused until 16 minutes after they were replaced, when
the last token they signed has expired, and while the stores need one: for messages in the queues, dead letters among them, and
for the newest seal of the audit log.

examples:
  scoreboard rotate-keys
  scoreboard rotate-keys --drop-old

exit codes:
  0  the keys are in use
  1  they could not be put in use, or old ones are still needed; the message says what is the case
  2  bad usage: no such data directory, no instance for --drop-old, keys that come from the environment, or another one at work
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which instance, and whether old keys go."""
    parser.add_argument("--drop-old", action="store_true", help="give up the keys that were replaced, and make no new ones")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Writes secrets.json, and has a running instance take it."""
    directory = InstanceDirectory(settings_from(arguments).data_dir.resolve())
    if not directory.secrets_file.exists():
        raise CliError(f"{directory.path} holds no keys yet: they are made when an instance first starts there", EXIT_USAGE)
    with directory.changing_keys():
        return _change(directory, drop_old=arguments.drop_old)


def _change(directory: InstanceDirectory, *, drop_old: bool) -> int:
    if directory.holder() is None and not drop_old:
        with directory.claimed():
            _rotated(directory).save(directory.secrets_file)
        return _report(directory, "in use with the next start")
    runtime = running_instance(directory.path)
    _see_that_they_are_ours(directory, runtime["function_env"])
    if drop_old:
        keyring = _keyring(directory).without_old_keys()
        _have_the_stores_know(directory, keyring, "nothing was changed", gives_up=True)
        keyring.save(directory.secrets_file)
    else:
        keyring = _rotated(directory)
        keyring.save(directory.secrets_file)  # before the stores ask for it at every start
        _have_the_stores_know(directory, keyring, "the new keys are kept for the next start, and not in use yet")
    os.kill(runtime["pid"], RELOAD_SIGNAL)
    _wait_taken(directory, keyring)
    if not drop_old and "postgresql" not in runtime["processes"]:
        tell("other instances on the same stores need the new keys now: `keys export` here, `keys import` and a restart there")
    return _report(directory, "in use")


def _keyring(directory: InstanceDirectory) -> Keyring:
    return Keyring.load_or_make(directory.secrets_file)


def _rotated(directory: InstanceDirectory) -> Keyring:
    return _keyring(directory).rotated()


def _see_that_they_are_ours(directory: InstanceDirectory, function_env: dict[str, Any]) -> None:
    keyring = _keyring(directory)
    for name, kept in (("JWT_SIGNING_KEY", keyring.jwt_signing_key), ("PAYLOAD_KEYS", keyring.payload_keys)):
        if function_env[name] != kept:
            raise CliError(
                f"{name} comes from the environment of the instance: put a new first key there and restart it", EXIT_USAGE
            )


def _have_the_stores_know(directory: InstanceDirectory, keyring: Keyring, otherwise: str, *, gives_up: bool = False) -> None:
    """As at a start with these keys; CliError, which begins with `otherwise`, when the stores are not there or need others."""
    keys = {"JWT_SIGNING_KEY": keyring.jwt_signing_key, "PAYLOAD_KEYS": keyring.payload_keys}
    try:
        invoke_function(directory.path, "prepare_stores", {"givesUp": gives_up}, **keys)
    except CliError as error:
        raise CliError(f"{otherwise}: {error}", error.exit_code) from None


def _wait_taken(directory: InstanceDirectory, keyring: Keyring) -> None:
    ends_at = time.monotonic() + TAKEN_SECONDS
    while not _is_taken(directory, keyring):
        if time.monotonic() > ends_at:
            logs: Path = directory.logs
            raise CliError(f"the processes do not serve with the new keys yet; their logs are in {logs}", EXIT_FAILED)
        time.sleep(_POLL_SECONDS)


def _is_taken(directory: InstanceDirectory, keyring: Keyring) -> bool:
    runtime = directory.read_runtime()
    if runtime is None:
        raise CliError("the instance has ended; it has the keys when it starts again", EXIT_FAILED)
    environment = runtime["function_env"]
    used = (environment["JWT_SIGNING_KEY"], environment["PAYLOAD_KEYS"])
    return used == (keyring.jwt_signing_key, keyring.payload_keys)


def _report(directory: InstanceDirectory, state: str) -> int:
    keyring = _keyring(directory)
    say(f"keys: {state}, the first payload key is {keyring.payload_keys.partition(':')[0]}")
    say(f"old keys kept: {keyring.old_keys}")
    return EXIT_OK
