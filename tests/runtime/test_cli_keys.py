"""`keys`: what is shown, what is copied, and what is never overwritten."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.keyring import Keyring, keys_are_in_use
from local_runtime.settings import PROJECT_ROOT


def keys(data_dir: Path, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", "keys", *arguments, "--data-dir", str(data_dir)],
        cwd=PROJECT_ROOT,
        env={name: value for name, value in os.environ.items() if name not in ("PAYLOAD_KEYS", "JWT_SIGNING_KEY")} | environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def in_use(data_dir: Path) -> Keyring:
    """Keys of an instance that has served there."""
    data_dir.mkdir(exist_ok=True)
    made = Keyring.load_or_make(data_dir / "secrets.json").rotated()
    made.save(data_dir / "secrets.json")
    keys_are_in_use(data_dir / "secrets.json")
    return made


def secrets_of(keyring: Keyring) -> list[str]:
    return [item.partition(":")[2] for item in keyring.payload_keys.split(",")] + keyring.jwt_signing_key.split("\n")[1::3]


def test_show_tells_ids_and_purposes_and_never_a_key(tmp_path: Path) -> None:
    made = in_use(tmp_path)
    shown = keys(tmp_path, "show")
    assert (shown.returncode, shown.stderr, len(shown.stdout.splitlines())) == (0, "", 4)
    assert all(item.partition(":")[0] in shown.stdout for item in made.payload_keys.split(","))
    assert not any(secret in shown.stdout for secret in secrets_of(made))
    older = keys(tmp_path, "show", PAYLOAD_KEYS="k1:" + secrets_of(made)[0], JWT_SIGNING_KEY=made.jwt_signing_key)
    fingerprint = made.payload_keys.partition(":")[0]
    assert f"k1  fingerprint {fingerprint}" in older.stdout, "an older version's name says nothing of the key"


def test_what_is_exported_is_imported_elsewhere(tmp_path: Path) -> None:
    made, file = in_use(tmp_path / "one"), tmp_path / "keys.json"
    exported = keys(tmp_path / "one", "export", str(file))
    assert (exported.returncode, "forge" in exported.stderr) == (0, True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(secret in exported.stdout + exported.stderr for secret in secrets_of(made))
    document = json.loads(file.read_text())
    assert document == {"JWT_SIGNING_KEY": made.jwt_signing_key, "PAYLOAD_KEYS": made.payload_keys}
    again = keys(tmp_path / "one", "export", str(file))
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
    imported = keys(tmp_path / "two", "import", str(file))
    assert imported.returncode == 0, imported.stderr
    assert not any(secret in imported.stdout + imported.stderr for secret in secrets_of(made))
    other = Keyring.load_or_make(tmp_path / "two" / "secrets.json")
    assert (other.jwt_signing_key, other.payload_keys) == (made.jwt_signing_key, made.payload_keys)
    assert other.redis_password != made.redis_password
    assert stat.S_IMODE((tmp_path / "two" / "secrets.json").stat().st_mode) == 0o600
    assert keys(tmp_path / "two", "import", str(file)).returncode == 0, "the same ones once more"


def test_a_pipe_does_as_well(tmp_path: Path) -> None:
    made = in_use(tmp_path / "one")
    exported = keys(tmp_path / "one", "export")
    assert keys(tmp_path / "two", "import", "-", stdin=exported.stdout).returncode == 0
    assert Keyring.load_or_make(tmp_path / "two" / "secrets.json").payload_keys == made.payload_keys


def test_keys_that_have_sealed_something_are_not_overwritten_and_others_are(tmp_path: Path) -> None:
    in_use(tmp_path / "one")
    exported = keys(tmp_path / "one", "export").stdout
    theirs = in_use(tmp_path / "two")
    refused = keys(tmp_path / "two", "import", "-", stdin=exported)
    assert (refused.returncode, "would be lost" in refused.stderr) == (2, True)
    assert Keyring.load_or_make(tmp_path / "two" / "secrets.json") == theirs
    (tmp_path / "three").mkdir()
    Keyring.load_or_make(tmp_path / "three" / "secrets.json")  # as a start makes it that is refused by the stores
    assert keys(tmp_path / "three", "import", "-", stdin=exported).returncode == 0
    refused = keys(tmp_path / "three", "import", "-", stdin=keys(tmp_path / "two", "export").stdout)
    assert (refused.returncode, "would be lost" in refused.stderr) == (2, True)


def test_new_keys_of_the_same_installation_come_in_beside_its_old_ones(tmp_path: Path) -> None:
    made = in_use(tmp_path / "one")
    assert keys(tmp_path / "two", "import", "-", stdin=keys(tmp_path / "one", "export").stdout).returncode == 0
    made.rotated().save(tmp_path / "one" / "secrets.json")
    newer = keys(tmp_path / "one", "export").stdout
    assert keys(tmp_path / "two", "import", "-", stdin=newer).returncode == 0
    made.without_old_keys().save(tmp_path / "one" / "secrets.json")
    fewer = keys(tmp_path / "two", "import", "-", stdin=keys(tmp_path / "one", "export").stdout)
    assert (fewer.returncode, "would be lost" in fewer.stderr) == (2, True)


def test_a_secret_with_more_in_it_is_understood(tmp_path: Path) -> None:
    in_use(tmp_path / "one")
    secret = json.loads(keys(tmp_path / "one", "export").stdout) | {"REDIS_URL": "redis://:p@h/0"}
    assert keys(tmp_path / "two", "import", "-", stdin=json.dumps(secret)).returncode == 0
    assert "REDIS_URL" not in (tmp_path / "two" / "secrets.json").read_text()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"JWT_SIGNING_KEY": "x", "PAYLOAD_KEYS": "a:AAAA"}', '{"PAYLOAD_KEYS": 7}'])
def test_what_no_instance_could_use_is_not_taken_in(tmp_path: Path, text: str) -> None:
    refused = keys(tmp_path, "import", "-", stdin=text)
    assert (refused.returncode, "as `keys export` writes it" in refused.stderr) == (2, True)
    assert not (tmp_path / "secrets.json").exists()


def test_keys_that_cannot_be_used_are_told_of_and_not_shown(tmp_path: Path) -> None:
    made = in_use(tmp_path / "one")
    shown = keys(tmp_path / "one", "show", PAYLOAD_KEYS="k1:AAAA", JWT_SIGNING_KEY=made.jwt_signing_key)
    assert (shown.returncode, shown.stderr.startswith("error: PAYLOAD_KEYS: item 1 is not `key_id:base64")) == (2, True)
    twice = json.dumps({"PAYLOAD_KEYS": f"{made.payload_keys},{made.payload_keys}", "JWT_SIGNING_KEY": made.jwt_signing_key})
    assert keys(tmp_path / "two", "import", "-", stdin=twice).returncode == 2


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    none = keys(tmp_path / "nothing", "export")
    assert (none.returncode, "no keys yet" in none.stderr) == (2, True)
    (tmp_path / "partial").mkdir()
    (tmp_path / "partial" / "secrets.json").write_text('{"payload_keys": "k1:AAAA"}')
    partial = keys(tmp_path / "partial", "show")
    assert (partial.returncode, "no keys yet" in partial.stderr) == (2, True), "to look makes nothing"
    unnamed = keys(tmp_path, "import")
    assert (unnamed.returncode, "name the file" in unnamed.stderr) == (2, True)
    missing = keys(tmp_path, "import", str(tmp_path / "missing.json"))
    assert (missing.returncode, "missing.json" in missing.stderr) == (1, True)
    in_use(tmp_path)
    exported = keys(tmp_path, "export").stdout
    with InstanceDirectory(tmp_path).claimed():
        running = keys(tmp_path, "import", "-", stdin=exported)
    assert (running.returncode, "is in use by the instance" in running.stderr) == (2, True)


def test_an_instance_with_keys_from_its_environment_exports_those(tmp_path: Path) -> None:
    in_use(tmp_path)
    other = in_use(tmp_path / "other")
    directory = InstanceDirectory(tmp_path)
    with directory.claimed():
        environment = {"JWT_SIGNING_KEY": other.jwt_signing_key, "PAYLOAD_KEYS": other.payload_keys}
        directory.write_runtime({"pid": os.getpid(), "function_env": environment})
        assert json.loads(keys(tmp_path, "export").stdout) == environment
