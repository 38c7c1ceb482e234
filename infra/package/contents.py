"""What goes into which zip."""

from __future__ import annotations

from pathlib import Path

from infra.package.artefact import Artefact
from infra.package.bytecode import with_bytecode
from infra.package.target import Target
from infra.package.wheels import fetch_wheels, unpack_wheel
from infra.sam import Function

LAYER_NAME = "layer"
LAYER_REQUIREMENTS = Path(__file__).resolve().parent / "layer-requirements.txt"
# Where Lambda unpacks a layer and a function.
LAYER_PLACE, FUNCTION_PLACE = "/opt/", "/var/task/"
# Used to make the function or to describe it, never by it.
_NOT_SHIPPED = ("requirements.txt", "openapi.yaml")


def build_layer(package: Path, certificates: Path, target: Target, cache: Path) -> Artefact:
    """The layer: the package and the libraries it needs, under `python/`, which Lambda puts on the import path.

    `certificates` is a directory of CAs that the system does not know, if it is there.
    """
    files = _libraries(LAYER_REQUIREMENTS, target, cache)
    files |= {f"{package.name}/{path}": content for path, content in _directory(package).items()}
    files = {f"python/{path}": content for path, content in files.items()}
    files |= {f"{certificates.name}/{path}": content for path, content in _directory(certificates).items()}
    return Artefact(LAYER_NAME, with_bytecode(files, LAYER_PLACE, target.interpreter))


def build_function(function: Function, target: Target, cache: Path) -> Artefact:
    """A function: what is in its directory, and its own requirements if it has any."""
    requirements = function.directory / "requirements.txt"
    files = _libraries(requirements, target, cache) if requirements.is_file() else {}
    files |= {path: content for path, content in _directory(function.directory).items() if path not in _NOT_SHIPPED}
    return Artefact(function.name, with_bytecode(files, FUNCTION_PLACE, target.interpreter))


def _libraries(requirements: Path, target: Target, cache: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for wheel in fetch_wheels(requirements, target, cache):
        files |= unpack_wheel(wheel)
    return files


def _directory(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }
