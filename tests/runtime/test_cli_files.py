"""What verbs write to, and data directories that are none."""

from __future__ import annotations

import gzip
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_runtime.cli.complete_file import compressed_file, text_file
from local_runtime.cli.demo import remove_left
from local_runtime.cli.errors import EXIT_FAILED, EXIT_USAGE, CliError
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.supervisor.stale import instance_marker
from tests.runtime.verbs import run_verb
from tests.support.product import ROOT, clean_environment, new_data_dir, remove_data_dir
from tests.support.waiting import eventually


def test_a_file_is_there_when_it_is_complete_and_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    with text_file(link) as file:
        file.write("entries\n")
        assert not real.exists()
    assert (link.is_symlink(), real.read_text(), real.stat().st_mode & 0o777) == (True, "entries\n", 0o600)
    with compressed_file(link) as compressed:
        compressed.write(b"more")
    assert gzip.decompress(real.read_bytes()) == b"more"
    assert sorted(tmp_path.iterdir()) == [link, real]


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path):
        with pytest.raises(CliError, match="is no regular file"), text_file(place):
            raise AssertionError("opened")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


BEGUN = """
import sys, time
from pathlib import Path
from local_runtime.cli.complete_file import text_file
with text_file(Path(sys.argv[1])) as file:
    print(flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_has_begun_is_removed_and_what_is_being_written_stays(tmp_path: Path) -> None:
    path, others = tmp_path / "file", tmp_path / ".file.original"
    others.write_text("kept")
    with subprocess.Popen([sys.executable, "-c", BEGUN, str(path)], cwd=ROOT, stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        writing.stdout.readline()
        try:
            with text_file(path) as file:
                file.write("entries")
            assert len(list(tmp_path.iterdir())) == 3
        finally:
            writing.kill()
    assert len(list(tmp_path.iterdir())) == 3
    with text_file(path) as file:
        file.write("more")
    assert {place.name: place.read_text() for place in tmp_path.iterdir()} == {"file": "more", ".file.original": "kept"}


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file takes more than a few KB, as on a disk without room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_text(path: Path) -> None:
    with text_file(path) as file:
        for number in range(100_000):
            file.write(f"{number}\n")


def write_compressed(path: Path) -> None:
    with compressed_file(path) as file:
        for _ in range(100):
            file.write(os.urandom(1000))


@pytest.mark.parametrize("write", [write_text, write_compressed])
def test_a_disk_without_room_is_a_failure_and_a_place_that_is_none_is_bad_usage(
    tmp_path: Path, full_disk: None, write: Callable[[Path], None]
) -> None:
    with pytest.raises(CliError, match="cannot be written: ") as failed:
        write(tmp_path / "file")
    assert failed.value.exit_code == EXIT_FAILED
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CliError, match="cannot be written: No such file") as failed:
        write(tmp_path / "nowhere" / "file")
    assert failed.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize("words", [("status",), ("down",), ("doctor",), ("serve",), ("serve", "--detach"), ("rotate-keys",)])
@pytest.mark.parametrize("below", ["", "below"])
def test_a_data_directory_that_is_a_file_is_told_in_words(tmp_path: Path, words: tuple[str, ...], below: str) -> None:
    file = tmp_path / "file"
    file.touch()
    done = run_verb(file / below, *words)
    assert "Traceback" not in done.stdout + done.stderr
    assert (done.returncode, file.is_file()) == (0 if words == ("down",) else 1 if words == ("doctor",) else 2, True), done.stderr


def test_a_console_that_is_in_use_is_not_written_over(tmp_path: Path) -> None:
    console = tmp_path / "console.txt"
    with InstanceDirectory(tmp_path).claimed():
        console.write_text("what it has said\n")
        done = run_verb(tmp_path, "serve", "--detach", "--port", "0")
    assert (done.returncode, "in use by the instance" in done.stderr) == (2, True)
    assert console.read_text() == "what it has said\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_the_start_in_the_background_ends_it(number: signal.Signals) -> None:
    data_dir = new_data_dir()
    command = [sys.executable, "-m", "local_runtime", "serve", "--detach", "--port", "0", "--data-dir", str(data_dir)]
    try:
        with subprocess.Popen(command, cwd=ROOT, env=clean_environment(), stderr=subprocess.PIPE, text=True) as starting:
            eventually((data_dir / "run").is_symlink, 60, "it has begun")
            starting.send_signal(number)
            assert "interrupted" in starting.communicate(timeout=60)[1]
        assert starting.returncode == 130
        assert InstanceDirectory(data_dir).holder() is None
    finally:
        remove_data_dir(data_dir)


def test_the_next_demo_removes_what_a_killed_one_has_left_and_nothing_else(tmp_path: Path) -> None:
    left, running, begun, others = (tmp_path / f"scoreboard-demo-{name}" for name in ("0123abcd", "1123abcd", "2123abcd", "mine"))
    for place in (left, begun, others):
        place.mkdir()
    for place in (left, others):
        (place / "lock").touch()
    (tmp_path / "scoreboard-demo-3123abcd").symlink_to(others)
    name, value = instance_marker(left)
    with subprocess.Popen(["sleep", "60"], env={name: value}) as server, InstanceDirectory(running).claimed():
        remove_left(tmp_path)
        assert server.wait(10) == -signal.SIGKILL
        assert not left.exists()
        assert len(list(tmp_path.iterdir())) == 4
