"""`keys`: the keys that all instances on the same stores share."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from local_runtime.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say, tell
from local_runtime.cli.running import not_ours
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.shared_keys import PAYLOAD, SIGNING, SharedKeys, import_keys
from shared.core import secret_keys

STDIN = "-"
EPILOG = """\
The keys sign access tokens and seal what is in the broker and the audit log, so every instance on the same stores needs the same
ones; the stores remember their ids and fingerprints, and an instance without them refuses to start.

`export` writes them to FILE (which must not exist yet and gets the mode 0600) or to stdout, as a JSON object with JWT_SIGNING_KEY
and PAYLOAD_KEYS, like the secret of a deployment on AWS. Whoever reads it can forge tokens and points. `import` takes such a file
(- for stdin) into a data directory that has no keys, only keys that no start has used, or only keys that are in the file as well.
Others are never overwritten. `show` tells ids and fingerprints, never a key.

examples:
  scoreboard keys show
  scoreboard keys export keys.json
  scoreboard keys import keys.json --data-dir .local-2

exit codes:
  0  done
  1  a file cannot be read or written
  2  bad usage: no keys there yet, others that would be lost, an instance that runs or is another user's, or a file
     that exists
"""
# By purpose: the setting, what its first key does, and what the others do.
_PURPOSES = {
    secret_keys.PAYLOAD: (PAYLOAD, "seals messages, signs action tickets and the audit log", "opens what it sealed"),
    secret_keys.SIGNING: (SIGNING, "signs access tokens", "verifies tokens that it signed"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with which file, and where."""
    parser.add_argument("action", choices=("show", "export", "import"), help="show their ids, write them out, or take them in")
    parser.add_argument("file", nargs="?", metavar="FILE", help="of `export` (stdout if left out) and `import` (- for stdin)")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Does it."""
    directory = InstanceDirectory(settings_from(arguments).data_dir.resolve())
    try:
        if arguments.action == "import":
            return _import(directory, arguments.file)
        keys = _own_keys(directory)
        return _show(keys) if arguments.action == "show" else _export(keys, arguments.file)
    except OSError as error:
        raise CliError(f"{error.filename}: {error.strerror}") from None


def _own_keys(directory: InstanceDirectory) -> SharedKeys:
    try:
        return _keys(directory)
    except PermissionError as error:
        raise not_ours(error) from None


def _keys(directory: InstanceDirectory) -> SharedKeys:
    """Those in use by the instance that runs there, or those that the next one would use."""
    runtime = directory.read_runtime() if directory.holder() is not None else None
    environment = os.environ if runtime is None else runtime["function_env"]
    given = (environment.get(SIGNING, ""), environment.get(PAYLOAD, ""))
    if all(given):
        return SharedKeys(*given)
    own = SharedKeys.in_file(directory.secrets_file)
    if own is None:
        raise CliError(f"{directory.path} holds no keys yet: they are made when an instance first starts there", EXIT_USAGE)
    return SharedKeys(given[0] or own.jwt_signing_key, given[1] or own.payload_keys)


def _show(keys: SharedKeys) -> int:
    shown: set[str] = set()
    for one in keys.prints():
        setting, first, others = _PURPOSES[one.purpose]
        purpose = others if setting in shown else first
        shown.add(setting)
        fingerprint = "" if one.fingerprint == one.key_id else f"  fingerprint {one.fingerprint}"
        say(f"{setting:<15}  {one.key_id}{fingerprint}  {purpose}")
    return EXIT_OK


def _export(keys: SharedKeys, file: str | None) -> int:
    tell("warning: whoever reads these keys can forge tokens and points; remove the copy when it has been imported")
    if file is None:
        say(keys.as_text().rstrip())
        return EXIT_OK
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CliError(f"{file} exists already: name another file, or remove it", EXIT_USAGE) from None
    with os.fdopen(descriptor, "w") as out:
        out.write(keys.as_text())
    say(f"written to {file}")
    return EXIT_OK


def _import(directory: InstanceDirectory, file: str | None) -> int:
    if file is None:
        raise CliError("name the file that `keys export` wrote, or - for stdin", EXIT_USAGE)
    keys = SharedKeys.parse(sys.stdin.read() if file == STDIN else Path(file).read_text(encoding="utf-8"))
    with directory.claimed(), directory.changing_keys():
        import_keys(directory.secrets_file, keys)
    say(f"in use with the next start on {directory.path}")
    return _show(keys)
