"""What the generated .env.example says can be taken at its word."""

from __future__ import annotations

import re

from infra.documents import ENV_EXAMPLE
from local_runtime.settings import InstanceSettings
from shared.core.config import Settings

SHOWN = dict(re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.*)$", ENV_EXAMPLE.read_text(), re.MULTILINE))


def test_every_default_can_be_set_as_it_is_shown() -> None:
    needed = {name: "given" for name, value in SHOWN.items() if not value}
    assert Settings.from_environment({**SHOWN, **needed, "CORS_ALLOWED_ORIGINS": ""}) == Settings.from_environment(
        {**needed, "CORS_ALLOWED_ORIGINS": ""}
    )
    assert InstanceSettings.from_environment(SHOWN).as_environment().keys() <= SHOWN.keys()
