"""Files of verbs that are there when they are complete, and readable by their owner only."""

from __future__ import annotations

import errno
import gzip
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from local_runtime.cli.errors import EXIT_FAILED, EXIT_USAGE, CliError

# Why a file cannot be written in a place that was well chosen.
_NOT_BY_THE_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


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
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        unfinished = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        exit_code = EXIT_FAILED if error.errno in _NOT_BY_THE_PLACE else EXIT_USAGE
        raise CliError(f"{path} cannot be written: {error.strerror}", exit_code) from None
