"""What the broker goes on with: the data that is there, or nothing where it cannot read that.

Nothing is lost without its data: every update that the ledger does not have is sent again from the outbox, and dead letters are
in PostgreSQL.
"""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

from local_runtime.instance.servers.certificates import write_private

UNNOTED = (3, 0)  # data from before versions were noted, when only RabbitMQ 3 was run
Series = tuple[int, int]  # the major and the minor version
logger = logging.getLogger(__name__)


def take_over(directory: Path, installed: Series | None) -> None:
    """Put aside the data below `directory` that the installed RabbitMQ cannot read; note whose data is there from now on.

    RabbitMQ 4 does not start on the data of 3.10, and none reads what a newer one wrote: it ends, or waits for ever.
    """
    if installed is None:
        return
    note = directory / "version"
    made_by = _series(note.read_text()) if note.exists() else UNNOTED
    if any((directory / "mnesia").iterdir()) and not can_read(installed, made_by):
        logger.warning(
            "the broker's data is of RabbitMQ %s, which %s cannot read: it begins anew, and updates that it held are sent again",
            ".".join(map(str, made_by)) if made_by != UNNOTED else "3",
            ".".join(map(str, installed)),
        )
        begin_anew(directory)
    write_private(note, ".".join(map(str, installed)).encode())


def can_read(installed: Series, made_by: Series) -> bool:
    """Whether a RabbitMQ starts on the data of another: of its own major version, and not of a newer one."""
    return made_by[0] == installed[0] and made_by <= installed


def begin_anew(directory: Path) -> None:
    """Keep what is there in `mnesia.broken`, until it happens again, and give the broker an empty place."""
    kept = directory / "mnesia.broken"
    shutil.rmtree(kept, ignore_errors=True)
    (directory / "mnesia").rename(kept)
    (directory / "mnesia").mkdir(mode=0o700)


def installed_series(program: Path) -> Series | None:
    """The version of the broker that this program starts; None where its layout is not the known one."""
    brokers = (program.resolve().parent.parent / "plugins").glob("rabbit-[0-9]*")
    return next((_series(path.name.removeprefix("rabbit-")) for path in brokers), None)


def _series(version: str) -> Series:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else UNNOTED
