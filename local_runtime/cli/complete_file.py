"""Files of verbs that are there when they are complete, and readable by their owner only."""

from __future__ import annotations

import errno
import fcntl
import gzip
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from local_runtime.cli.errors import EXIT_FAILED, EXIT_USAGE, CliError

# Why a file cannot be written in a place that was well chosen.
_NOT_BY_THE_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_UNFINISHED = ".unfinished"


@contextmanager
def text_file(path: Path) -> Iterator[TextIO]:
    """Of text in UTF-8; CliError when it cannot be written."""
    with _complete(path) as raw:
        file = io.TextIOWrapper(raw, encoding="utf-8")
        yield file
        file.detach()


@contextmanager
def compressed_file(path: Path) -> Iterator[gzip.GzipFile]:
    """Compressed (gzip); CliError when it cannot be written."""
    with _complete(path) as raw, gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as file:
        yield file


@contextmanager
def _complete(path: Path) -> Iterator[BinaryIO]:
    """Takes its name when all is on the disk; a link stays one, and what is no file is not replaced."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise CliError(f"{path} is no regular file: name another one", EXIT_USAGE)
    try:
        _remove_left(path)
        descriptor, name = tempfile.mkstemp(_UNFINISHED, f".{path.name}.", path.parent)
        unfinished = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(file, fcntl.LOCK_EX)
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        exit_code = EXIT_FAILED if error.errno in _NOT_BY_THE_PLACE else EXIT_USAGE
        raise CliError(f"{path} cannot be written: {error.strerror}", exit_code) from None


def _remove_left(path: Path) -> None:
    """What processes that were killed have begun for this file: who is still writing holds a lock."""
    begun = []
    with suppress(OSError):  # a directory that may be written and not read
        begun = [each for each in path.parent.iterdir() if each.name.startswith(f".{path.name}.") and each.is_file()]
    for left in begun:
        if left.name.endswith(_UNFINISHED):
            with suppress(OSError), left.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
