"""Byte-code beside each module: Lambda can write none, so what is not shipped would be compiled at every cold start."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from local_runtime.cli.errors import CliError

# Its process compiles this and nothing else, in one order, so that marshalling finds the same references every time. It is never
# checked against the source (unchecked-hash): the two are shipped together and nobody can change them.
_PROGRAM = """
import pathlib, py_compile, sys
root, place = pathlib.Path(sys.argv[1]), sys.argv[2]
for path in sorted(root.rglob("*.py")):
    py_compile.compile(path, dfile=place + str(path.relative_to(root)), doraise=True,
                       invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
"""


def with_bytecode(files: dict[str, bytes], place: str, interpreter: str) -> dict[str, bytes]:
    """The files and the byte-code of their modules, which names `place` (e.g. /opt/) as where they lie."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path, content in files.items():
            if path.endswith(".py"):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(content)
        done = subprocess.run(  # noqa: S603 - a Python with a program of our own
            [interpreter, "-P", "-S", "-s", "-c", _PROGRAM, str(root), place],
            env={"PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CliError(f"the byte-code cannot be made: {done.stderr.strip().splitlines()[-1].replace(name, '')}")
        compiled = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.pyc")}
    return {**files, **compiled}
