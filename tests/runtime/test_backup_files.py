"""What a backup file may do to the machine it is restored on, whatever is in it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local_runtime.instance.backup import restore_backup
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.servers.memory import shares_of
from tests.support.product import ROOT

ABOUT = {"format": 1, "version": "0.1.0", "made_at": "2026-01-01T00:00:00+00:00", "stores": []}


def backup(file: Path, about: Any = ABOUT, **members: bytes | str) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {"backup.json": json.dumps(about), "secrets.json": "{}", **members}.items():
            archive.writestr(name, content)
    return file


def test_nothing_is_written_beside_the_new_data_directory(tmp_path: Path) -> None:
    strange = dict.fromkeys(("tls/../../out.txt", "tls/../..", "tls/a/b", "tls/", "/tls/x", "tls/.."), "x")
    file = backup(tmp_path / "backup", **strange, **{"tls/ca.pem": "a certificate"})
    restore_backup(file, tmp_path / "new" / "data", shares_of(1024), lambda _: None)
    assert sorted(tmp_path.iterdir()) == [file, tmp_path / "new"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["data"]
    assert [path.name for path in (tmp_path / "new" / "data" / "tls").iterdir()] == ["ca.pem"]


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"format": 1},
        {"version": "0.1.0"},
        [],
        "text",
        7,
        {**ABOUT, "format": "1"},
        {**ABOUT, "stores": ["mongodb"]},
        {"format": 1, "version": "0.1.0"},
    ],
)
def test_what_does_not_say_what_it_is_is_no_backup(tmp_path: Path, about: Any) -> None:
    file = backup(tmp_path / "backup", about)
    with pytest.raises(InstanceError, match="is no backup, or was cut off"):
        restore_backup(file, tmp_path / "data", shares_of(1024), lambda _: None)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("lacking", ["secrets.json", "redis.rdb", "database.dump"])
def test_a_backup_that_lacks_what_it_says_it_has_is_refused(tmp_path: Path, lacking: str) -> None:
    about = {**ABOUT, "stores": ["redis", "postgresql"]}
    members = {"backup.json": json.dumps(about), "secrets.json": "{}", "redis.rdb": "", "database.dump": ""}
    file = tmp_path / "backup"
    with zipfile.ZipFile(file, "w") as archive:
        for name in members.keys() - {lacking}:
            archive.writestr(name, members[name])
    with pytest.raises(InstanceError, match=f"backup lacks {lacking}: use another backup"):
        restore_backup(file, tmp_path / "data", shares_of(1024), lambda _: None)
    assert list(tmp_path.iterdir()) == [file]


def test_a_disk_that_takes_no_more_is_told_in_a_line_and_nothing_stays(tmp_path: Path) -> None:
    file = backup(tmp_path / "backup", **{"redis.rdb": bytes(3_000_000)})
    command = f'ulimit -f 1024; exec "{sys.executable}" -m local_runtime restore {file} --data-dir {tmp_path / "data"}'
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: {tmp_path / 'data.restoring'} cannot be written: File too large"
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [file]
