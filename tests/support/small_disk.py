"""A file system of a few hundred megabytes, which only the product of a test sees, and which the test may fill."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress
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

    def product(self, *options: str, **environment: str) -> Product:
        """One with its data directory there."""
        product = Product(self.root / "data", *options, **environment)
        product.enter, product.place = self._enter, self._place / "data"
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
