"""A file system of its own for the product of a test, which may fill it or make it read-only."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.support.product import Product

MEGABYTE = 1024 * 1024


class SmallDisk:
    """A tmpfs in a mount namespace of its own; it is gone with the last process that uses it. Linux only."""

    def __init__(self, megabytes: int) -> None:
        self._megabytes = megabytes
        self._ballast: Path | None = None

    def __enter__(self) -> Self:
        self._place = Path(tempfile.mkdtemp(prefix="scoreboard-disk-"))
        self._place.chmod(0o711)
        user = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
        script = f'mount -t tmpfs -o size={self._megabytes}m,mode=711 tmpfs "$0" && echo mounted && exec cat'
        self._holder = subprocess.Popen(
            ["unshare", *user, "--mount", "--propagation", "private", "sh", "-c", script, str(self._place)],
            stdin=subprocess.PIPE,  # `cat` ends with this process, however that ends
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline()
        assert said == "mounted\n", f"a file system of its own cannot be mounted in a namespace here: {said}"
        join = ["--user", "--preserve-credentials"] if user else []
        self._enter = ("nsenter", "--target", str(self._holder.pid), *join, "--mount", "--")
        self.root = Path(f"/proc/{self._holder.pid}/root{self._place}")
        return self

    def __exit__(self, *exc: object) -> None:
        self._holder.communicate()
        with suppress(OSError):
            self._place.rmdir()

    def product(self, *options: str, **environment: str) -> ProductOnDisk:
        """One with its data directory there."""
        product = ProductOnDisk(self.root / "data", *options, **environment)
        product.disk, product.enter, product.place = self, self._enter, self._place / "data"
        return product

    @property
    def free_bytes(self) -> int:
        """What is left."""
        status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize

    def fill(self, leave_bytes: int = 0) -> None:
        """To the last block, at a stroke, or until so much is left."""
        self._ballast = self.root / "ballast"
        with self._ballast.open("ab", buffering=0) as ballast:
            size = MEGABYTE
            while size and self.free_bytes > leave_bytes:
                try:
                    written = ballast.write(bytes(min(size, max(1, self.free_bytes - leave_bytes))))
                except OSError:
                    written = 0
                if written < size:
                    size //= 2

    def make_room(self) -> None:
        """Take away what filled it."""
        if self._ballast is not None:
            self._ballast.unlink(missing_ok=True)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Whatever is opened by its path meanwhile, as every process that starts has to, can only be read.

        Another mount is laid over the first one: the kernel refuses to make one read-only while files are open for writing.
        """
        self._mount("--bind", str(self._place))
        self._mount("-o", "remount,bind,ro")
        try:
            yield
        finally:
            self._mount("-o", "remount,bind,rw")

    def _mount(self, *arguments: str) -> None:
        subprocess.run([*self._enter, "mount", *arguments, str(self._place)], check=True)


class ProductOnDisk(Product):
    """A product on a `disk` that a test may do this to."""

    disk: SmallDisk
