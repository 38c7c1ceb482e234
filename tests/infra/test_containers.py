"""The compose file and what it refers to agree; `make test-cluster` runs it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_runtime.cli.environment import SECRETS
from local_runtime.settings import InstanceSettings
from shared.core.config import Settings
from shared.core.database_url import DatabaseUrl
from shared.core.hosts import each_host
from shared.core.redis_url import RedisUrl
from tests.support.product import ROOT

CONTAINERS = ROOT / "infra" / "containers"
STACK: dict[str, Any] = yaml.safe_load((CONTAINERS / "compose.yaml").read_text())


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The directory of secrets, made in a copy."""
    place = tmp_path / "containers"
    shutil.copytree(CONTAINERS, place, ignore=shutil.ignore_patterns("secrets", ".env"))
    subprocess.run(["sh", str(place / "secrets.sh")], check=True, env={"PATH": os.environ["PATH"]})
    return place / "secrets"


def test_every_secret_is_made_and_nothing_else(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == sorted(STACK["secrets"])
    assert made.stat().st_mode & 0o777 == 0o700


def test_making_secrets_again_changes_none(made: Path) -> None:
    before = {path.name: path.read_text() for path in made.iterdir()}
    subprocess.run(["sh", str(made.parent / "secrets.sh")], check=True)
    assert {path.name: path.read_text() for path in made.iterdir()} == before


def test_the_product_reads_the_secrets(made: Path) -> None:
    given = {path.name: path.read_text() for path in made.iterdir()}
    assert RedisUrl.parse(given["redis_url"], "")
    assert len(DatabaseUrl.parse_each(given["database_url"], "", name="it")) == 1
    assert len(each_host(given["amqp_url"])) == 3
    names = {item.name for item in fields(Settings)}
    settings = {name.upper(): value for name, value in given.items() if name in names}
    assert Settings.from_environment(settings)


def test_an_instance_is_given_settings_that_exist() -> None:
    known = {f"SCOREBOARD_{item.name.upper()}" for item in fields(InstanceSettings)} | {"LOG_FORMAT"}
    secret = set(SECRETS)
    for name in STACK["services"]["scoreboard-1"]["environment"]:
        assert name in known or name.removesuffix("_FILE") in secret, name


@pytest.mark.parametrize("name", STACK["services"])
def test_a_service_has_bounds_a_health_check_and_what_it_names(name: str) -> None:
    service = STACK["services"][name]
    assert service["restart"] == "unless-stopped"
    assert {"mem_limit", "cpus", "pids_limit", "cap_drop"} <= set(service)
    assert "healthcheck" in service or name.startswith("scoreboard-")  # theirs is the image's
    for secret in service.get("secrets", ()):
        assert secret in STACK["secrets"]
    for volume in service["volumes"]:
        source = volume.partition(":")[0]
        assert (CONTAINERS / source).exists() if source.startswith(".") else source in STACK["volumes"], volume


def test_what_the_image_is_made_of_is_sent_to_the_engine() -> None:
    sent = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    for path in sent:
        assert (ROOT / path).exists(), path
    assert {"shared", "functions", "local_runtime", "infra", "pyproject.toml", "requirements.txt"} <= set(sent)
