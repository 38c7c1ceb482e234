"""Verbs of the command line, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.environment import with_provided_names
from local_runtime.settings import PROJECT_ROOT


@contextmanager
def seeming_instance(data_dir: Path, function_environment: Mapping[str, str]) -> Iterator[Path]:
    """A data directory that an instance seems to run on, with these stores."""
    directory = InstanceDirectory(data_dir)
    with directory.claimed():
        directory.write_runtime({"function_env": with_provided_names(function_environment)})
        yield directory.path


def run_verb(data_dir: Path, *arguments: str, stdin: str | int = "") -> subprocess.CompletedProcess[str]:
    """`stdin` is a text, or a terminal's file descriptor."""
    given: dict[str, Any] = {"input": stdin} if isinstance(stdin, str) else {"stdin": stdin}
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", *arguments, "--data-dir", str(data_dir)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "TERM": "dumb"},
        **given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
