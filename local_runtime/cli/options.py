"""Options that several verbs share; each has its environment variable, and those on the command line win."""

from __future__ import annotations

import argparse
from dataclasses import fields

from local_runtime.settings import InstanceSettings


def _default(value: object) -> str:
    """A default as the variable would be written; `none` where it has none."""
    if value in (None, ""):
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


_HELP = {
    item.name: f"{item.metadata['help']} (SCOREBOARD_{item.name.upper()}; {_default(item.default)})"
    for item in fields(InstanceSettings)
}


def add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add these fields of InstanceSettings as options."""
    kinds = {item.name: str(item.type) for item in fields(InstanceSettings)}
    for name in names:
        flag = f"--{name.replace('_', '-')}"
        if kinds[name] == "bool":
            parser.add_argument(flag, action="store_const", const="true", help=_HELP[name])
        else:
            metavar = "N" if kinds[name] == "int" else "PATH" if kinds[name].startswith("Path") else name.upper()
            parser.add_argument(flag, metavar=metavar, help=_HELP[name])


def settings_from(arguments: argparse.Namespace) -> InstanceSettings:
    """The options as given on the command line or in the environment; raises SettingsError listing all problems."""
    given = {item.name: getattr(arguments, item.name, None) for item in fields(InstanceSettings)}
    return InstanceSettings.from_environment(None, **given)


def is_count(text: str) -> bool:
    """Whether it is a whole number of 0 or more."""
    return text.isascii() and text.isdigit()


def count(text: str) -> int:
    """What an option takes that is a number of something."""
    if not is_count(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)
