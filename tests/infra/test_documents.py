"""What documents say can be taken at its word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.documents.command import main
from infra.documents.reference import ENV_EXAMPLE
from local_runtime.settings import PROJECT_ROOT as ROOT
from local_runtime.settings import InstanceSettings
from shared.core.config import Settings

TOPS = ("functions/", "shared/", "local_runtime/", "infra/", "tests/", "docs/")
SHOWN = dict(re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.*)$", ENV_EXAMPLE.read_text(), re.MULTILINE))


def test_every_default_can_be_set_as_it_is_shown() -> None:
    needed = {name: "given" for name, value in SHOWN.items() if not value}
    needed |= dict.fromkeys(("CORS_ALLOWED_ORIGINS", "SCOREBOARD_FRAME_ANCESTORS", "REDIS_SHARDS"), "")  # "given" is none
    assert Settings.from_environment({**SHOWN, **needed}) == Settings.from_environment(needed)
    assert InstanceSettings.from_environment(SHOWN).as_environment().keys() <= SHOWN.keys()
    assert not {"True", "False"} & set(SHOWN.values())  # one spelling, that of the functions


def test_what_is_generated_is_up_to_date() -> None:
    assert main(["--check"]) == 0


DOCUMENTS = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    named = {word for word in re.findall(r"`([\w./-]+)`", document.read_text()) if word.startswith(TOPS)}
    assert [path for path in sorted(named) if "verb_noun" not in path and not (ROOT / path).exists()] == []
