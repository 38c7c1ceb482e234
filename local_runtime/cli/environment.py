"""What the environment is told before a verb reads it: `.env`, and secrets that stand in files."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

from dotenv import load_dotenv

from local_runtime.cli.errors import EXIT_USAGE, CliError
from shared.core.config import Settings

DOTENV = Path(".env")
SECRETS = (*(item.name.upper() for item in fields(Settings) if item.metadata["secret"]), "METRICS_TOKEN")


def complete_environment() -> None:
    """What `.env` in the working directory says, where the environment does not; and `NAME`, where it has `NAME_FILE`.

    Raises CliError.
    """
    try:
        load_dotenv(DOTENV)
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{DOTENV.absolute()} cannot be read: {getattr(error, 'strerror', None) or error}", EXIT_USAGE) from None
    problems = [problem for name in SECRETS if (problem := _take_from_file(name))]
    if problems:
        raise CliError("\n".join(problems), EXIT_USAGE)


def _take_from_file(name: str) -> str:
    variable = f"{name}_FILE"
    place = os.environ.get(variable)
    if not place:
        return ""
    if os.environ.get(name):
        return f"{variable} and {name} are both set: leave one of them out"
    try:
        value = Path(place).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        return f"{variable}={place} cannot be read: {getattr(error, 'strerror', None) or error}"
    if not value:
        return f"{variable}={place} is empty"
    os.environ[name] = value
    del os.environ[variable]  # whoever inherits the environment finds it complete
    return ""
