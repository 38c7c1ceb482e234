"""The data directory: one instance at a time, secrets made once, everything private."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from local_runtime.instance.directory import MEMORY, InstanceDirectory
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.keyring import Keyring


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_data_directory_is_made_for_its_owner_only_and_may_at_most_be_passed_through(tmp_path: Path) -> None:
    directory = InstanceDirectory(tmp_path / "new" / "data")
    parent_mode = mode_of(tmp_path)
    with directory.claimed():
        assert mode_of(directory.path) == (0o711 if os.geteuid() == 0 else 0o700)
        assert mode_of(directory.path / "lock") == 0o600
    assert mode_of(tmp_path) == parent_mode


def test_a_second_instance_is_told_who_has_the_directory_and_how_to_stop_it(tmp_path: Path) -> None:
    directory = InstanceDirectory(tmp_path)
    with directory.claimed():
        assert directory.holder() == os.getpid()
        with (
            pytest.raises(InstanceError, match=rf"pid {os.getpid()}: .* down --data-dir {tmp_path}`") as refused,
            directory.claimed(),
        ):
            pass
        assert "--data-dir" in str(refused.value)
    assert directory.holder() is None
    with directory.claimed():
        pass


def test_nobody_holds_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert InstanceDirectory(tmp_path / "nothing").holder() is None


def test_a_directory_that_cannot_be_made_is_reported_with_the_option_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(InstanceError, match="choose one with --data-dir"),
        InstanceDirectory(tmp_path / "file" / "data").claimed(),
    ):
        pass


def test_runtime_json_is_private_replaced_as_a_whole_and_removed(tmp_path: Path) -> None:
    directory = InstanceDirectory(tmp_path)
    directory.write_runtime({"pid": 1})
    with directory.runtime_file.open() as before:
        directory.write_runtime({"pid": 2, "processes": {"http": 3}})
        assert json.load(before) == {"pid": 1}
    assert directory.read_runtime() == {"pid": 2, "processes": {"http": 3}}
    assert mode_of(directory.runtime_file) == 0o600
    directory.remove_runtime()
    assert directory.read_runtime() is None
    directory.remove_runtime()


def test_what_an_instance_left_that_did_not_end_cleanly_is_cleared(tmp_path: Path) -> None:
    directory = InstanceDirectory(tmp_path)
    directory.run.mkdir()
    directory.ready_file("consumer").write_text("1")
    directory.write_runtime({})
    directory.begin_run()
    assert not directory.ready_file("consumer").exists()
    assert not directory.runtime_file.exists()
    assert mode_of(directory.run) & 0o077 in (0, 0o055)


def test_what_lasts_only_as_long_as_the_instance_is_in_memory_and_nothing_of_it_stays(tmp_path: Path) -> None:
    directory = InstanceDirectory(tmp_path)
    directory.begin_run()
    first = directory.run.resolve()
    directory.ready_file("consumer").write_text("1")
    directory.begin_run()  # after an end that was not clean
    second = directory.run.resolve()
    assert list(directory.run.iterdir()) == []
    assert first == second or not first.exists()
    if MEMORY.is_dir():
        assert second.is_relative_to(MEMORY)
    directory.end_run()
    assert not second.exists()
    assert not directory.run.is_symlink()


def test_a_copy_of_a_directory_does_not_touch_what_the_original_has_in_memory(tmp_path: Path) -> None:
    original, copy = InstanceDirectory(tmp_path / "one"), InstanceDirectory(tmp_path / "two")
    original.path.mkdir()
    original.begin_run()
    shutil.copytree(original.path, copy.path, symlinks=True)
    copy.begin_run()
    copy.end_run()
    original.ready_file("consumer").write_text("1")
    original.end_run()


def test_secrets_are_made_once_and_are_usable(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    keyring = Keyring.load_or_make(path)
    assert mode_of(path) == 0o600
    assert Keyring.load_or_make(path) == keyring
    assert isinstance(load_pem_private_key(keyring.jwt_signing_key.encode(), None), Ed25519PrivateKey)
    key_id, _, key = keyring.payload_keys.partition(":")
    assert key_id
    assert len(base64.b64decode(key, validate=True)) == 32
    secrets = [keyring.redis_password, keyring.amqp_password, keyring.database_password, keyring.secret_access_key]
    assert len(set(secrets)) == 4
    assert all(len(secret) >= 32 for secret in secrets)
    assert not any(secret in repr(keyring) for secret in secrets)


def test_a_secret_that_an_older_version_did_not_make_is_added_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    first = Keyring.load_or_make(path)
    document = json.loads(path.read_text())
    del document["access_key_id"]
    path.write_text(json.dumps(document | {"of_the_future": "kept"}))
    second = Keyring.load_or_make(path)
    assert second.access_key_id != first.access_key_id
    assert second.redis_password == first.redis_password
    assert json.loads(path.read_text())["of_the_future"] == "kept"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"redis_password": 7}', '{"redis_password": ""}'])
def test_damaged_secrets_are_never_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    with pytest.raises(InstanceError, match="restore it from a backup"):
        Keyring.load_or_make(path)
    assert path.read_text() == content


def test_secrets_that_others_could_read_are_closed(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    Keyring.load_or_make(path)
    path.chmod(0o644)
    Keyring.load_or_make(path)
    assert mode_of(path) == 0o600


def test_keys_are_changed_by_one_at_a_time(tmp_path: Path) -> None:
    directory = InstanceDirectory(tmp_path)
    with directory.changing_keys(), pytest.raises(InstanceError, match="another `rotate-keys`"), directory.changing_keys():
        pass
    with directory.changing_keys():
        pass


def test_each_start_is_another_instance_that_knows_the_one_before(tmp_path: Path) -> None:
    directory = InstanceDirectory(tmp_path)
    first, before = directory.new_instance_id()
    second, former = directory.new_instance_id()
    assert (before, former) == ("", first)
    assert len({first, second}) == 2
