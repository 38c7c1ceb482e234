"""What to type for this program in the shell that started it."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

from local_runtime.settings import InstanceSettings

_NAME = "scoreboard"
# What messages, help and examples call it: `scoreboard VERB`, in code or at the beginning of an indented line.
_WRITTEN = re.compile(rf"(`|\| |^  ){_NAME}(?= [a-zA-Z-])", re.MULTILINE)


@cache
def command() -> str:
    """`scoreboard` where the shell finds this very one; otherwise its path, or the interpreter that was told to run it."""
    script = Path(sys.argv[0])
    if script.name == _NAME:
        return _as_typed(script)
    return f"{_as_typed(Path(sys.executable))} -m local_runtime"


def pasteable(text: str) -> str:
    """A text in which the program is called what this shell calls it."""
    return text if command() == _NAME else _WRITTEN.sub(lambda found: f"{found[1]}{command()}", text)


def where(data_dir: Path) -> str:
    """The option that names this data directory, where that is not the usual one."""
    is_usual = data_dir.resolve() == InstanceSettings().data_dir.resolve()
    return "" if is_usual else f" --data-dir {shlex.quote(str(data_dir))}"


def _as_typed(program: Path) -> str:
    found = shutil.which(program.name)
    if found is not None and Path(found).absolute() == program.absolute():
        return program.name
    here = Path.cwd()
    path = program.absolute()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
