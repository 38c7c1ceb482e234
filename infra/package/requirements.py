"""Writes infra/package/layer-requirements.txt, what of requirements.txt goes into the layer (`--check` compares).

The layer ships those dependencies of pyproject.toml that [tool.scoreboard] names, and what they require in turn on any of the
template's runtimes: at the versions, and with the hashes, of requirements.txt, so that what is tested is what is deployed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.package.contents import LAYER_REQUIREMENTS
from infra.sam import read_sam
from local_runtime.settings import PROJECT_ROOT

LOCK = PROJECT_ROOT / "requirements.txt"
# Name, version, and the hashes; a marker is left out, for pip would hold it against the machine that packages.
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)[^\\\n]*( \\(?:\n    --hash=.+)+)$", re.MULTILINE)


def layer_requirements() -> str:
    """The text of the file; SystemExit when requirements.txt is older than pyproject.toml."""
    pins: dict[str, str] = {
        canonicalize_name(pin[1]): f"{pin[1]}=={pin[2]}{pin[3]}" for pin in _PIN.finditer(LOCK.read_text(encoding="utf-8"))
    }
    document = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = document["tool"]["scoreboard"]["layer"]
    environments = [_environment(runtime.removeprefix("python")) for runtime in read_sam().runtimes]
    wanted = [one for one in map(Requirement, document["project"]["dependencies"]) if one.name in shipped]
    names: set[str] = set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if name in names or not any(_applies(requirement, environment) for environment in environments):
            continue
        if name not in pins:
            raise SystemExit(f"{LOCK.name} has no {name}: run `make lock`")
        names.add(name)
        wanted += [Requirement(text) for text in _requirements(name)]
    return "".join(f"{pins[name]}\n" for name in sorted(names))


def _requirements(name: str) -> list[str]:
    """Nothing of what only another Python than this one needs and is not installed here."""
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def _environment(python_version: str) -> dict[str, str]:
    """Lambda's, whatever machine this is; of its Python's minor version the oldest, which may need a package more."""
    return {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python_version}.0",
        "python_version": python_version,
        "sys_platform": "linux",
    }


def _applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**environment, "extra": ""})


def main(arguments: list[str]) -> int:
    """Write the file, or compare it and answer 1 when it is out of date."""
    text = layer_requirements()
    if "--check" not in arguments:
        LAYER_REQUIREMENTS.write_text(text, encoding="utf-8")
        return 0
    if LAYER_REQUIREMENTS.exists() and LAYER_REQUIREMENTS.read_text(encoding="utf-8") == text:
        return 0
    print(f"{LAYER_REQUIREMENTS.relative_to(PROJECT_ROOT)} is out of date: run `make lock`")  # noqa: T201 - a command's output
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
