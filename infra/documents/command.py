"""Writes every generated document, or compares it with what it should be."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from infra.documents import asyncapi, openapi, problems, reference, runbook
from local_runtime.settings import PROJECT_ROOT


def documents() -> dict[Path, str]:
    """Every generated document with the text it should have."""
    return {
        **reference.documents(),
        openapi.DOCUMENT: openapi.text(),
        asyncapi.DOCUMENT: asyncapi.text(),
        **problems.documents(),
        runbook.DOCUMENT: runbook.text(),
    }


def main(argv: Sequence[str]) -> int:
    """Write the documents, or compare them; 1 when one is out of date or is not what its format allows."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.documents",
        description="Writes what is generated: API, queues, problems, runbook, route table, settings, dashboards, metrics.",
    )
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check: bool = parser.parse_args(argv).check
    wanted = documents()
    if not check:
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")
        return 0
    faults = [f"{asyncapi.DOCUMENT.name}: {problem}" for problem in asyncapi.problems(wanted[asyncapi.DOCUMENT])]
    faults += [f"{path.relative_to(PROJECT_ROOT)} is out of date: run `make format`"
                 for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]  # fmt: skip
    for fault in faults:
        print(fault)  # noqa: T201 - a command's output
    return 1 if faults else 0
