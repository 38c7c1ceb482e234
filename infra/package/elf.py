"""Reads of a shared object what decides whether it loads: its machine, the libraries it needs, the versions of glibc it needs."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_LITTLE_ENDIAN_64 = b"\x7fELF\x02\x01"
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_LOADED, _DYNAMIC = 1, 2
_NEEDED, _STRINGS, _VERSIONS, _VERSION_COUNT = 1, 5, 0x6FFFFFFE, 0x6FFFFFFF


class NotElf(ValueError):
    """No 64-bit little-endian ELF file that is linked dynamically."""


@dataclass(frozen=True, slots=True)
class SharedObject:
    """`glibc` is the newest version of the C library that a symbol asks for, (0, 0) when none does."""

    machine: int
    needed: tuple[str, ...]
    glibc: tuple[int, int]


def read_shared_object(data: bytes) -> SharedObject:
    """Read the file's dynamic segment, which is there even in a stripped file; raises NotElf."""
    if not data.startswith(_LITTLE_ENDIAN_64):
        raise NotElf("it has no 64-bit little-endian ELF header")
    try:
        return _Reader(data).read()
    except (struct.error, ValueError, StopIteration) as error:
        raise NotElf(f"it is damaged: {error}") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        (self._machine,) = struct.unpack_from("<H", data, 18)
        (offset,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        self._segments = [_PROGRAM_HEADER.unpack_from(data, offset + index * size) for index in range(count)]

    def read(self) -> SharedObject:
        _, _, offset, _, _, size, _, _ = next(segment for segment in self._segments if segment[0] == _DYNAMIC)
        entries = list(struct.iter_unpack("<QQ", self._data[offset : offset + size]))
        values = dict(entries)
        if _STRINGS not in values:
            raise ValueError("its dynamic segment is incomplete")
        strings = self._offset(values[_STRINGS])
        needed = tuple(self._text(strings + value) for tag, value in entries if tag == _NEEDED)
        versions = self._versions(self._offset(values[_VERSIONS]), values[_VERSION_COUNT], strings) if _VERSIONS in values else []
        glibc = [_version(name) for name in versions if name.startswith("GLIBC_")]
        return SharedObject(self._machine, needed, max(glibc, default=(0, 0)))

    def _versions(self, offset: int, count: int, strings: int) -> list[str]:
        """The names in the table of needed versions: an entry for each library, in it one for each version."""
        names = []
        for _ in range(count):
            _, inner_count, _, inner, following = struct.unpack_from("<HHIII", self._data, offset)
            place = offset + inner
            for _ in range(inner_count):
                _, _, _, name, step = struct.unpack_from("<IHHII", self._data, place)
                names.append(self._text(strings + name))
                place += step
            offset += following
        return names

    def _offset(self, address: int) -> int:
        """Where in the file that is which is loaded to an address."""
        for kind, _, offset, start, _, size, _, _ in self._segments:
            if kind == _LOADED and start <= address < start + size:
                return int(offset + address - start)
        raise ValueError(f"nothing is loaded to {address:#x}")

    def _text(self, offset: int) -> str:
        return self._data[offset : self._data.index(b"\0", offset)].decode("ascii")


def _version(name: str) -> tuple[int, int]:
    """GLIBC_2.17 and GLIBC_2.2.5 as numbers; GLIBC_PRIVATE fits no other C library than the one it was built with."""
    parts = name.removeprefix("GLIBC_").split(".")
    return (int(parts[0]), int(parts[1])) if parts[0].isdigit() else (999, 0)
