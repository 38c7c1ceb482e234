"""`python -m tests.directories.make_fixture CHECKOUT TARGET`: an older version makes a data directory and is ended in the middle.

CHECKOUT holds the older version, which is run with this Python. TARGET is either a directory that is not there yet: the data
directory as the older version left it, with what it must hold in `TARGET.left.json`. Or it is a file `*.tar.gz` of what is needed
to make one like it: the dump of the database, Redis's append-only file, the queues and their messages, the keys (made for this
and used nowhere else), and what each player was acknowledged.
"""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from tests.directories.history import OPTIONS, History
from tests.support.product import Product

LATER = "UPDATE refresh_tokens SET expires_at = '2100-01-01'"
QUEUES = ("score_history_queue", "score_history_queue.retry", "score_history_queue.dlq")
SECRET_FILE, LEFT_FILE, DUMP_FILE, MESSAGES_FILE = "secrets.json", "left.json", "database.sql", "messages.json"


def main(checkout: Path, target: Path) -> None:
    """Write the archive, or leave the directory."""
    is_archive = target.name.endswith(".tar.gz")
    product = Product(None if is_archive else target.resolve(), "--workers", "1", **OPTIONS)
    product.root = checkout.resolve()
    history = History(product.start())
    history.make()
    history.play_unrecorded()
    taken = taken_from_broker(history) if is_archive else {}
    history.play_unpublished()
    left = json.dumps(history.told(), indent=1).encode()
    if not is_archive:
        history.end_all()
        target.with_name(f"{target.name}.{LEFT_FILE}").write_bytes(left)
        return
    try:
        product.query(LATER)
        dump = subprocess.run(["pg_dump", "--no-owner", product.runtime["database_url"]], capture_output=True, check=True).stdout
        history.end_all()
        write(target, product.data_dir, left, dump, taken)
    finally:
        product.destroy()


def taken_from_broker(history: History) -> dict[str, Any]:
    """All queues with their arguments, and the messages of those that carry updates."""
    environment = dict(
        entry.split("=", 1)
        for entry in Path(f"/proc/{history.product.pid('rabbitmq')}/environ").read_text().split("\0")
        if "=" in entry
    )
    program = history.product.data_dir / "rabbitmq" / "server" / "sbin" / "rabbitmqctl"
    told = [str(program), "--formatter", "json", "list_queues", "name", "arguments"]
    queues = json.loads(subprocess.run(told, env=environment, capture_output=True, check=True).stdout)
    messages = []
    channel = history.channel()
    for queue in QUEUES:
        for _, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=2):
            if properties is None:
                break
            kept = {"queue": queue, "headers": properties.headers or {}, "messageId": properties.message_id}
            messages.append({**kept, "body": base64.b64encode(body).decode()})
        channel.cancel()
    return {
        "queues": {queue["name"]: {name: value for name, _, value in queue["arguments"]} for queue in queues},
        "messages": messages,
    }


def write(fixture: Path, data_dir: Path, left: bytes, dump: bytes, taken: dict[str, Any]) -> None:
    """One archive."""
    contents = {
        LEFT_FILE: left,
        DUMP_FILE: dump,
        MESSAGES_FILE: json.dumps(taken, indent=1).encode(),
        SECRET_FILE: (data_dir / SECRET_FILE).read_bytes(),
    }
    with tarfile.open(fixture, "w:gz", compresslevel=9) as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        archive.add(data_dir / "redis" / "appendonlydir", "appendonlydir", filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nobody's in particular."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
