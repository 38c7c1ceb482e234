"""The keys of an instance, made once, rotated, given up."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.keyring import Keyring
from local_runtime.instance.shared_keys import SharedKeys
from local_runtime.settings import PROJECT_ROOT
from shared.core.secret_keys import PAYLOAD, SIGNING, read_payload_keys, read_signing_keys


def key_ids(keyring: Keyring) -> tuple[list[str], list[str]]:
    """As the layer reads them."""
    return [key.key_id for key in read_signing_keys(keyring.jwt_signing_key)], list(read_payload_keys(keyring.payload_keys))


def rotate_keys(data_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", "rotate-keys", "--data-dir", str(data_dir), *options],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def made(tmp_path: Path) -> Keyring:
    return Keyring.load_or_make(tmp_path / "secrets.json")


def test_new_keys_come_first_and_old_ones_stay(made: Keyring) -> None:
    (first_signing,), (first_payload,) = key_ids(made)
    twice = made.rotated().rotated()
    signing, payload = key_ids(twice)
    assert (signing[2:], payload[2:]) == ([first_signing], [first_payload])
    assert (len(set(signing)), len(set(payload))) == (3, 3)
    assert (twice.old_keys, made.old_keys) == (4, 0)
    assert key_ids(twice.without_old_keys()) == (signing[:1], payload[:1])
    assert (twice.redis_password, twice.access_key_id) == (made.redis_password, made.access_key_id)


def test_the_id_of_a_key_is_its_fingerprint(made: Keyring) -> None:
    rotated = made.rotated()
    keys = SharedKeys(rotated.jwt_signing_key, rotated.payload_keys)
    assert all(one.key_id == one.fingerprint for one in keys.prints())
    assert [one.purpose for one in keys.prints()] == [PAYLOAD, PAYLOAD, SIGNING, SIGNING]


def test_a_key_that_an_older_version_named_keeps_its_name(tmp_path: Path, made: Keyring) -> None:
    older = replace(made, payload_keys="k1:" + made.payload_keys.partition(":")[2])
    older.save(tmp_path / "secrets.json")
    rotated = Keyring.load_or_make(tmp_path / "secrets.json").rotated()
    assert list(read_payload_keys(rotated.payload_keys))[1:] == ["k1"]


@pytest.mark.parametrize(
    ("data", "lost"),
    [
        ("postgresql/cluster/PG_VERSION", "database_password, jwt_signing_key, payload_keys"),
        ("rabbitmq/mnesia/scoreboard@localhost/cluster_nodes.config", "amqp_password, jwt_signing_key, payload_keys"),
        ("redis/appendonlydir/appendonly.aof.manifest", "jwt_signing_key, payload_keys"),
    ],
)
def test_secrets_that_data_beside_them_needs_are_never_made_anew(tmp_path: Path, data: str, lost: str) -> None:
    (tmp_path / data).parent.mkdir(parents=True)
    (tmp_path / data).touch()
    with pytest.raises(InstanceError) as refused:
        Keyring.load_or_make(tmp_path / "secrets.json")
    assert "lacks what it was made with" in str(refused.value)
    assert set(lost.split(", ")) == set(str(refused.value).partition("(")[2].partition(")")[0].split(", "))
    assert not (tmp_path / "secrets.json").exists()
    given = ("jwt_signing_key", "payload_keys", "database_password", "amqp_password")
    assert Keyring.load_or_make(tmp_path / "secrets.json", given).payload_keys


def test_what_the_file_holds_besides_stays(tmp_path: Path, made: Keyring) -> None:
    path = tmp_path / "secrets.json"
    made.rotated().save(path)
    assert Keyring.load_or_make(path).old_keys == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_an_instance_the_keys_are_changed_for_its_next_start(tmp_path: Path, made: Keyring) -> None:
    done = rotate_keys(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "next start" in done.stdout
    rotated = Keyring.load_or_make(tmp_path / "secrets.json")
    assert key_ids(rotated)[0][1:] == key_ids(made)[0]
    assert rotated.jwt_signing_key not in done.stdout


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    empty = rotate_keys(tmp_path / "nothing")
    assert (empty.returncode, "no keys yet" in empty.stderr) == (2, True)
    made = Keyring.load_or_make(tmp_path / "secrets.json")
    stopped = rotate_keys(tmp_path, "--drop-old")
    assert (stopped.returncode, "no instance is ready" in stopped.stderr) == (2, True)
    directory = InstanceDirectory(tmp_path)
    with directory.claimed():
        environment = {"JWT_SIGNING_KEY": made.jwt_signing_key, "PAYLOAD_KEYS": made.payload_keys}
        directory.write_runtime({"pid": os.getpid(), "function_env": environment})
        directory.write_runtime({"pid": os.getpid(), "function_env": {**environment, "PAYLOAD_KEYS": "mine:AA"}})
        foreign = rotate_keys(tmp_path)
        assert (foreign.returncode, "PAYLOAD_KEYS comes from the environment" in foreign.stderr) == (2, True)
    assert Keyring.load_or_make(tmp_path / "secrets.json") == made
    assert time.time() - (tmp_path / "secrets.json").stat().st_mtime < 600
