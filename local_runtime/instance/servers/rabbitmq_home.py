"""RabbitMQ without its sixty plugins on the code path, which halves the time it takes to boot.

Erlang looks for each of some 700 modules in every directory of the path in turn. A private home links to the broker's own
applications only; none of the plugins would be enabled anyway.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

BROKER = "rabbit"
# What they use without naming it among their applications.
UNNAMED = ("rabbitmq_prelaunch", "getopt", "enough")
TRIED_VERSIONS = re.compile(r"rabbit-3\.(8|9|1\d)\.")
_APPLICATIONS = re.compile(r"\{\s*applications\s*,\s*\[([^\]]*)\]", re.DOTALL)


def slim_program(program: Path, home: Path) -> Path:
    """The program to start instead of `program`, made below `home`; `program` itself where its layout is not the known one."""
    plugins = program.resolve().parent.parent / "plugins"
    installed = {path.name.rpartition("-")[0]: path for path in plugins.glob("*-*") if (path / "ebin").is_dir()}
    if BROKER not in installed or not TRIED_VERSIONS.match(installed[BROKER].name):
        return program
    shutil.rmtree(home, ignore_errors=True)
    (home / "plugins").mkdir(mode=0o700, parents=True)
    shutil.copytree(program.parent, home / "sbin")
    escripts = plugins.parent / "escript"
    if escripts.is_dir():
        (home / "escript").symlink_to(escripts)
    for name in sorted(_closure(installed)):
        (home / "plugins" / installed[name].name).symlink_to(installed[name])
    return home / "sbin" / program.name


def _closure(installed: dict[str, Path]) -> set[str]:
    """The broker's applications and theirs, as far as they are no part of Erlang itself."""
    found: set[str] = set()
    waiting = [BROKER, *UNNAMED]
    while waiting:
        name = waiting.pop()
        if name not in installed or name in found:
            continue
        found.add(name)
        description = (installed[name] / "ebin" / f"{name}.app").read_text(encoding="utf-8", errors="replace")
        applications = _APPLICATIONS.search(description)
        waiting += re.findall(r"\w+", applications[1]) if applications else []
    return found
