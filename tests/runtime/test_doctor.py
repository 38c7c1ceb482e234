"""The doctor tells what is there and what is not."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.doctor import Finding, PrivateMemory, doctor, private_memory, report, what_works
from local_runtime.instance.servers.memory import available_megabytes, shares_of
from local_runtime.instance.servers.programs import REDIS, SERVERS, Program
from local_runtime.instance.servers.room import MEGABYTE
from local_runtime.settings import SERVER_URLS
from tests.runtime.verbs import run_verb
from tests.support.loopback import Answered, serving
from tests.support.product import ROOT, clean_environment


def finding_of(name: str, data_dir: Path) -> Finding:
    return next(finding for finding in report(data_dir) if finding.name == name)


def with_limit(limit: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program in a shell that allows so many open files."""
    command = f'ulimit {limit} && exec "$0" -m local_runtime "$@"'
    return subprocess.run(
        ["bash", "-c", command, sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_machine_that_was_set_up_lacks_nothing(tmp_path: Path) -> None:
    out = io.StringIO()
    assert doctor(out, tmp_path) == 0
    assert "everything is there" in out.getvalue()
    path = REDIS.find()
    line = next(line for line in out.getvalue().splitlines() if "redis-server" in line)
    assert line.endswith(f" at {path}")
    assert any(character.isdigit() for character in line.partition(" at ")[0])


def test_a_missing_program_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    out = io.StringIO()
    assert doctor(out, tmp_path, lambda program: None if program is REDIS else program.find()) == 1
    lines = out.getvalue().splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("MISS  redis-server"))
    assert lines[at + 1].endswith(f"to get it: make setup, or: {REDIS.install_command()}")
    assert lines[-1] == "1 missing"


def test_a_bare_machine_lacks_every_server(tmp_path: Path) -> None:
    def find(program: Program) -> Path | None:
        return program.find(lambda _: None, tmp_path)

    missing = {finding.name: finding for finding in report(tmp_path, find) if not finding.ok}
    assert set(missing) == {program.name for program in SERVERS}
    assert all(finding.remedy for finding in missing.values())


def test_an_old_python_is_named(tmp_path: Path) -> None:
    finding = report(tmp_path, Program.find, (3, 10, 1))[0]
    assert not finding.ok
    assert "3.11" in finding.remedy


def test_only_root_needs_an_account_to_drop_to(tmp_path: Path) -> None:
    assert any(finding.name == "account postgres" for finding in report(tmp_path, root=True))
    assert not any(finding.name == "account postgres" for finding in report(tmp_path, root=False))


def test_a_data_directory_that_does_not_exist_yet_is_no_fault(tmp_path: Path) -> None:
    assert finding_of("data directory", tmp_path / "not" / "yet").ok
    assert not (tmp_path / "not").exists()


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finding = finding_of("data directory", tmp_path / "file" / "data")
    assert not finding.ok
    assert "--data-dir" in finding.remedy


def test_a_data_directory_that_nobody_may_look_for_is_no_end(tmp_path: Path) -> None:
    assert doctor(io.StringIO(), tmp_path / ("x" * 300) / "data") in (0, 1)


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (Answered(503, b'{"code": "no_place", "status": 503}'), "does not say whether it is ready: it answers 503 (no_place)"),
        (Answered(200, b"<!doctype html>"), "does not answer: "),
    ],
)
def test_who_answers_for_the_instance_is_told(tmp_path: Path, answered: Answered, said: str) -> None:
    with serving(lambda _: answered) as place:
        runtime = {"base_url": f"http://{place}", "ca_file": "", "processes": {}, "function_env": {}, "pid": os.getpid()}
        [finding] = what_works(runtime)
        assert (finding.ok, said in finding.found) == (False, True), finding.found
        with InstanceDirectory(tmp_path).claimed():
            InstanceDirectory(tmp_path).write_runtime(runtime)
            told = run_verb(tmp_path, "status")
    assert (told.returncode, told.stdout, said in told.stderr, "Traceback" in told.stderr) == (1, "", True, False), told.stderr


def test_a_disk_with_too_little_room_is_named_before_updates_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding_of("disk", tmp_path / "not yet").ok
    monkeypatch.setattr("local_runtime.instance.doctor.free_bytes", lambda _: 70_000_000)
    finding = finding_of("disk", tmp_path)
    assert (finding.ok, finding.is_there) == (False, True)
    assert "66 MB free" in finding.found
    assert "below 64 MB no update is accepted" in finding.remedy


@pytest.mark.parametrize(("megabytes", "state"), [(700, "FAIL"), (2048, "ok  ")])
@pytest.mark.parametrize("outside", ["REDIS_URL", "AMQP_URL"])
def test_memory_is_named_where_there_are_private_servers(tmp_path: Path, megabytes: int, state: str, outside: str) -> None:
    memory = private_memory({outside: "somewhere"}, megabytes, None)
    out = io.StringIO()
    assert doctor(out, tmp_path, memory=memory) == (state == "FAIL")
    found = f"{megabytes} MB to reckon with"
    if outside != "REDIS_URL":
        found += f"; the private Redis is full at {shares_of(megabytes).redis} MB"
    assert f"{state}  memory            {found}\n" in out.getvalue()


def test_memory_is_that_of_the_instance_that_runs(tmp_path: Path) -> None:
    runtime = {"pid": os.getpid(), "processes": {"redis": 1, "http": 2}, "function_env": {"SCOREBOARD_MEMORY_MB": "3000"}}
    assert private_memory({}, 1000, runtime) == PrivateMemory(3000, has_redis=True)
    of_the_machine = private_memory({}, 1000, {**runtime, "function_env": {"SCOREBOARD_MEMORY_MB": "0"}})
    assert of_the_machine == PrivateMemory(available_megabytes(), has_redis=True)
    assert private_memory({}, 1000, {**runtime, "processes": {"http": 2}}) is None
    assert private_memory(dict.fromkeys(SERVER_URLS, "somewhere"), 1000, None) is None
    assert not any(finding.name == "memory" for finding in report(tmp_path))


@pytest.fixture
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "shm"
    place.mkdir()
    place.chmod(0o777)
    monkeypatch.setattr("local_runtime.instance.doctor.MEMORY", place)
    return place


def made_with(data_dir: Path, kind: str) -> None:
    """A PostgreSQL whose processes share memory in this way."""
    cluster = data_dir / "postgresql" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "postgresql.conf").write_text(f"#shared_memory_type = mmap\ndynamic_shared_memory_type = {kind}\t# posix\n")


def shared_memory_findings(data_dir: Path, *, has_postgresql: bool = True) -> list[Finding]:
    memory = PrivateMemory(2048, has_redis=True, has_postgresql=has_postgresql)
    return [finding for finding in report(data_dir, memory=memory) if finding.name == "shared memory"]


def test_shared_memory_without_room_is_named_where_postgresql_is_private(
    tmp_path: Path, shared_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = {shared_memory: 8 * MEGABYTE}
    monkeypatch.setattr("local_runtime.instance.doctor.free_bytes", lambda place: free.get(place, 10**12))
    [finding] = shared_memory_findings(tmp_path)
    assert (finding.ok, finding.found) == (True, f"8 MB free at {shared_memory}")
    free[shared_memory] -= 1
    [finding] = shared_memory_findings(tmp_path)
    assert (finding.ok, finding.is_there) == (False, True)
    assert "docker run --shm-size" in finding.remedy
    assert not shared_memory_findings(tmp_path, has_postgresql=False)
    made_with(tmp_path, "sysv")
    assert not shared_memory_findings(tmp_path), "it does without"


def test_shared_memory_that_cannot_be_written_is_named_where_a_cluster_needs_it(tmp_path: Path, shared_memory: Path) -> None:
    shared_memory.chmod(0o555)
    assert not shared_memory_findings(tmp_path), "a new one does without"
    made_with(tmp_path, "posix")
    [finding] = shared_memory_findings(tmp_path)
    assert (finding.ok, finding.found) == (False, f"PostgreSQL cannot write to {shared_memory}")


def test_a_machine_whose_shared_memory_is_full_is_no_machine_that_lacks_nothing(tmp_path: Path) -> None:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    script = 'mount -t tmpfs -o size=1m,mode=1777 tmpfs /dev/shm && exec "$0" -m local_runtime doctor --data-dir "$1"'
    told = subprocess.run(
        ["unshare", *user, "--mount", "sh", "-c", script, sys.executable, str(tmp_path)],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 1, told.stderr
    assert "FAIL  shared memory     1 MB free at /dev/shm" in told.stdout


def test_too_few_open_files_are_refused_at_the_start_with_what_to_do(tmp_path: Path) -> None:
    refused = with_limit("-n 256", "serve", "--data-dir", str(tmp_path / "data"))
    assert refused.returncode == 2
    assert "only 256 files may be open at once: allow at least 1024: `ulimit -n 1024`" in refused.stderr
    assert not (tmp_path / "data").exists()
    told = with_limit("-n 256", "doctor", "--data-dir", str(tmp_path))
    assert (told.returncode, "FAIL  open files" in told.stdout) == (1, True), told.stdout


def test_a_limit_that_may_be_raised_is_raised(tmp_path: Path) -> None:
    told = with_limit("-Sn 256", "doctor", "--data-dir", str(tmp_path))
    assert "1024 allowed" in told.stdout
