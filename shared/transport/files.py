"""Files that a function answers as they are, read and compressed once, and known by their entity tags."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from shared.transport.http import HttpRequest, Reply

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}
# What is smaller fits into a packet as it is.
_WORTH_COMPRESSING = 1024


class File(NamedTuple):
    """A file as it goes out; `compressed` is empty where that gains nothing."""

    content: bytes
    compressed: bytes
    etag: str
    media_type: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> File:
        """The tag names the content, so every instance gives the same."""
        compressed = gzip.compress(content, mtime=0) if len(content) > _WORTH_COMPRESSING else b""
        return cls(content, compressed, f'"{sha256(content).hexdigest()[:40]}"', media_type)

    def reply(self, request: HttpRequest, headers: Mapping[str, str]) -> Reply:
        """The file, in gzip to whoever takes that, or 304 to whoever has it."""
        body, etag = self.content, self.etag
        if self.compressed:
            headers = {"Vary": "Accept-Encoding", **headers}
            if _takes_gzip(request.headers.get("accept-encoding", "")):
                # The same content in other bytes: a weak tag (RFC 9110, 8.8.1).
                body, etag, headers = self.compressed, f"W/{etag}", {"Content-Encoding": "gzip", **headers}
        return Reply.tagged(body, etag, request.headers.get("if-none-match"), headers, self.media_type)


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.split(","):
        coding, *parameters = (word.strip().lower() for word in part.split(";"))
        if coding in ("gzip", "*"):
            return not any(word.removeprefix("q=").strip("0.") == "" for word in parameters if word.startswith("q="))
    return False


@cache
def files_of(directory: Path) -> dict[str, File]:
    """Those of a directory, by name. Only a name that is there is found: no path comes from a request."""
    return {path.name: File.of(path.read_bytes(), _TYPES[path.suffix]) for path in directory.iterdir() if path.suffix in _TYPES}
