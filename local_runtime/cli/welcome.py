"""What an operator is told when an instance is ready: what runs where, and what to try."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local_runtime.cli.command import command, where
from local_runtime.cli.output import say, terminal
from local_runtime.instance.listeners import ANYWHERE
from local_runtime.instance.outside import redacted
from local_runtime.instance.servers.postgresql import find_server
from local_runtime.instance.servers.programs import POSTGRES, RABBITMQ, REDIS
from local_runtime.settings import InstanceSettings
from local_runtime.version import product_version

_SERVERS = (
    ("redis", "redis_url", REDIS),
    ("postgresql", "database_url", POSTGRES),
    ("rabbitmq", "amqp_url", RABBITMQ),
)
_INDENT = "  "


def welcome(
    runtime: Mapping[str, Any],
    settings: InstanceSettings,
    own_ca: Path | None,
    start_seconds: Mapping[str, float],
    *,
    has_admin: bool = False,
) -> None:
    """Printed to stdout after the line that begins `ready:`; how an admin is made, where there is none yet."""
    rows = [(*part, _seconds(start_seconds, part[0])) for part in _parts(runtime, settings)]
    tries = list(_tries(runtime["base_url"], settings, own_ca, has_admin=has_admin))
    end = f"data is in {settings.data_dir}, logs in {settings.data_dir}/logs; Ctrl-C stops it"
    console = terminal()
    if console is None:
        for text in [*_aligned(rows), *_aligned(tries), end]:
            say(f"{_INDENT}{text}")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for style in ("bold", "dim", "", "dim", "dim"):
        table.add_column(style=style, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print()
    console.print(table)
    console.print()
    for label, what in tries:  # on one line each, however long: so that it can be copied
        console.print(Text.assemble((f"{label:<8}", "cyan"), what), soft_wrap=True)
    console.print(Text(f"\n{end}", "dim"), soft_wrap=True)


def _parts(runtime: Mapping[str, Any], settings: InstanceSettings) -> Iterator[tuple[str, str, str, str]]:
    """Name, version, where it listens, where its data is (below the data directory, if it says nothing else)."""
    for name, url, program in _SERVERS:
        address = redacted(runtime[url])
        if name not in runtime["processes"]:
            yield name, "", address, "not ours"
            continue
        directory = settings.data_dir / name
        path = find_server(directory / "cluster") if program is POSTGRES else program.find()
        data = str(directory.resolve()) if directory.is_symlink() else f"{name}/"
        yield name, program.version(path) if path else "", address.rpartition("@")[2].partition("/")[0], data
    for name in runtime["processes"]:
        if name == "http":
            yield name, product_version(), runtime["base_url"], f"{settings.workers} workers"
        elif name.partition(".")[0] in ("consumer", "scheduler"):
            yield name, product_version(), "", ""


def _tries(base_url: str, settings: InstanceSettings, own_ca: Path | None, *, has_admin: bool) -> Iterator[tuple[str, str]]:
    if own_ca:
        yield "trust", f"{own_ca}: the certificate is the instance's own"
    ca_option = f"--cacert {shlex.quote(str(own_ca))} " if own_ca else ""
    if "http" not in settings.roles:
        yield "ask", f"curl {ca_option}{base_url}/readyz"
        return
    yield "open", f"{base_url}/ in two browser windows"
    if settings.host in ANYWHERE and (address := _address_on_the_network()):
        parts = urlsplit(base_url)
        yield "join", f"{parts.scheme}://{address}:{parts.port}/ on other devices of this network"
    yield "ask", f"curl {ca_option}{base_url}/readyz"
    verbs = {
        "play": "simulate --players 20 --seconds 10",
        "watch": "top",
        "follow": "tail",
    }
    if not has_admin:
        verbs["admin"] = "create-user root --role admin"
    for label, verb in verbs.items():
        yield label, f"{command()} {verb}{where(settings.data_dir)}"
    if not has_admin:
        yield "", f"and then {base_url}/admin"
    yield "read", f"{base_url}/docs"


def _address_on_the_network() -> str:
    """The address from which this machine would reach others; nothing is sent."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("198.51.100.1", 9))  # reserved for documentation
        return str(asking.getsockname()[0])
    return ""


def _seconds(start_seconds: Mapping[str, float], name: str) -> str:
    return f"{start_seconds[name]:.1f} s" if name in start_seconds else ""


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
