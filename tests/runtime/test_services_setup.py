"""infra/setup.sh: installs what is missing and only that, starts nothing, and says what to do where it cannot install."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_runtime.settings import PROJECT_ROOT
from tests.support.waiting import eventually

TOOLS = ("bash", "cat", "chmod", "dirname", "flock", "grep", "id", "mktemp", "rm", "sleep", "tail", "tee", "touch")
PROGRAMS = (
    "redis-server",
    "rabbitmq-server",
    "postgres",
    "chromium",
    "prometheus",
    "promtool",
    "pgbouncer",
    "nginx",
    "caddy",
    "systemd-analyze",
    "node",
    "npm",
    "helm",
)
# A project of which nothing has to be fetched to install it.
PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """\
import zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name, about = "scoreboard-0-py3-none-any.whl", "scoreboard-0.dist-info"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\\nName: scoreboard\\nVersion: 0\\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{about}/RECORD", "")
    return name
"""
MADE = """\
setup: installing the Python packages of requirements.txt into .venv
setup:   Installing collected packages: scoreboard
"""
POLICY = Path("/usr/sbin/policy-rc.d")
CLIENT = "infra/clients/javascript"


@dataclass(frozen=True, slots=True)
class Machine:
    """A clone, and a PATH of its own on which nothing stands but what a test puts there."""

    clone: Path
    programs: Path

    def add(self, name: str, script: str = "exit 0") -> None:
        """Put a program on the PATH."""
        path = self.programs / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def remove(self, *names: str) -> None:
        """Take programs off the PATH."""
        for name in names:
            (self.programs / name).unlink()

    def allow_sudo(self, *, installs: str) -> None:
        """Not root, but with a sudo that notes what it is asked to do, and does something instead where apt-get installs."""
        self.add(
            "sudo",
            f"""echo "$*" >>{self.clone}/calls
case "$*" in *" install "*) {installs} ;; tee*) cat >/dev/null ;; esac""",
        )

    def bringing(self, name: str) -> str:
        """What an installation does that brings a program."""
        return f"touch {self.programs}/{name}; chmod 755 {self.programs}/{name}"

    def pretend_venv(self) -> None:
        """A .venv that stands as the set-up leaves it."""
        (self.clone / ".venv/bin").mkdir(parents=True)
        (self.clone / ".venv/bin/activate").write_text(f'VIRTUAL_ENV="{self.clone}/.venv"\n')
        (self.clone / ".venv/bin/python").symlink_to(f"{sys.base_prefix}/bin/python3")
        (self.clone / ".venv/pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\n")
        files = (self.clone / name for name in ("pyproject.toml", "requirements.txt"))
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
        (self.clone / ".venv/.requirements").write_text(f"{sys.version_info[:2]} {digest}\n")

    def pretend_typescript(self) -> None:
        """What npm has installed for the tests."""
        modules = self.clone / CLIENT / "node_modules"
        modules.mkdir()
        (modules / ".installed").write_text((self.clone / CLIENT / "package-lock.json").read_text())

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        """The script itself."""
        return subprocess.Popen(
            [self.programs / "bash", self.clone / "infra/setup.sh", *arguments],
            env={"PATH": str(self.programs), "HOME": str(self.clone)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def setup(self, *arguments: str) -> tuple[int, str]:
        """Run it; answers its exit code and what it said."""
        process = self.popen(*arguments)
        said = process.communicate(timeout=100)[1]
        return process.returncode, said

    @property
    def calls(self) -> list[str]:
        """What would have been done as root."""
        file = self.clone / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """An ordinary user's Debian that has everything."""
    made = Machine(tmp_path / "clone", tmp_path / "bin")
    (made.clone / "infra").mkdir(parents=True)
    made.programs.mkdir()
    shutil.copy(PROJECT_ROOT / "infra/setup.sh", made.clone / "infra/setup.sh")
    (made.clone / "requirements.txt").write_text("# nothing\n")
    (made.clone / "pyproject.toml").write_text(PYPROJECT)
    (made.clone / "backend.py").write_text(BACKEND)
    (made.clone / CLIENT).mkdir(parents=True)
    (made.clone / CLIENT / "package-lock.json").write_text("{}\n")
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (made.programs / tool).symlink_to(found)
    made.remove("id")
    made.add("id", "echo 1000")
    made.add("python3", f'exec {sys.base_prefix}/bin/python3 "$@"')
    made.add("apt-get", f"echo apt-get >>{made.clone}/calls")
    made.add("systemctl")
    for program in PROGRAMS:
        made.add(program)
    return made


def lack_redis(machine: Machine) -> None:
    machine.pretend_venv()
    machine.remove("redis-server")


def test_where_all_is_there_nothing_is_done_or_said(machine: Machine) -> None:
    machine.pretend_venv()
    machine.pretend_typescript()
    assert machine.setup("--for-tests") == (0, "")
    assert machine.calls == []


def test_what_checks_the_javascript_client_is_installed_for_tests_alone_and_once(machine: Machine) -> None:
    machine.pretend_venv()
    machine.add("npm", f'echo "npm $1" >>{machine.clone}/calls; mkdir -p {machine.clone}/{CLIENT}/node_modules')
    machine.programs.joinpath("mkdir").symlink_to(shutil.which("mkdir") or "")
    assert machine.setup() == (0, "")
    assert machine.calls == []
    for said in (f"setup: installing the npm packages of {CLIENT}\n", ""):
        assert machine.setup("--for-tests") == (0, said)
    assert machine.calls == ["npm ci"]
    machine.add("npm", "echo no such package; exit 1")
    (machine.clone / CLIENT / "package-lock.json").write_text('{"another": 1}\n')
    code, said = machine.setup("--for-tests")
    assert code == 1
    assert "no such package" in said


def test_helm_is_asked_for_where_no_package_brings_it(machine: Machine) -> None:
    machine.pretend_venv()
    machine.pretend_typescript()
    machine.remove("helm")
    machine.add("uname", "echo Linux riscv64")
    assert machine.setup() == (0, "")
    assert machine.setup("--for-tests") == (1, "setup: no helm here: install Helm, then try again\n")


def test_only_what_is_missing_is_installed_and_not_left_running(machine: Machine) -> None:
    lack_redis(machine)
    machine.allow_sudo(installs=machine.bringing("redis-server"))
    code, said = machine.setup()
    assert code == 0, said
    apt = [call for call in machine.calls if "apt-get" in call]
    assert len(apt) == 2
    assert apt[0].endswith(" update")
    assert apt[1].endswith(" install -y --no-install-recommends redis-server")
    assert [call for call in machine.calls if call.startswith("systemctl disable")] == ["systemctl disable redis-server"]
    assert_starts_were_forbidden_meanwhile(machine.calls)


def assert_starts_were_forbidden_meanwhile(calls: list[str]) -> None:
    policy = [call for call in calls if str(POLICY) in call]
    if POLICY.exists():  # the machine's own, which stays as it is
        assert policy == []
        return
    assert policy == [f"tee {POLICY}", f"chmod 755 {POLICY}", f"rm -f {POLICY}"]
    update = next(index for index, call in enumerate(calls) if call.endswith(" update"))
    install = next(index for index, call in enumerate(calls) if " install " in call)
    assert calls.index(policy[1]) < update < install < calls.index(policy[2])


def test_an_ordinary_user_without_sudo_is_told_what_to_install(machine: Machine) -> None:
    lack_redis(machine)
    machine.remove("chromium", "promtool", "npm")
    code, said = machine.setup("--for-tests")
    assert code == 1
    assert "apt-get install --no-install-recommends redis-server chromium prometheus npm" in said
    assert machine.calls == []


def test_a_failed_installation_shows_why_and_forbids_nothing_any_longer(machine: Machine) -> None:
    lack_redis(machine)
    machine.allow_sudo(installs='echo "E: no space left"; exit 100')
    code, said = machine.setup()
    assert code == 1
    assert "E: no space left" in said
    assert "apt-get install --no-install-recommends redis-server" in said
    assert_starts_were_forbidden_meanwhile(machine.calls)


def test_an_installation_that_does_not_bring_the_program_is_no_success(machine: Machine) -> None:
    lack_redis(machine)
    machine.allow_sudo(installs="true")
    code, said = machine.setup()
    assert code == 1
    assert "still missing after the installation: redis-server" in said


def until(path: Path) -> str:
    return f"for _ in {{1..300}}; do [ -e {path} ] && break; sleep 0.2; done"


def test_packages_of_python_are_installed_while_those_of_the_machine_are(machine: Machine) -> None:
    machine.remove("redis-server")
    venv = machine.clone / ".venv"
    machine.allow_sudo(installs=f"{until(venv)}; [ -e {venv} ] && {machine.bringing('redis-server')}")
    code, said = machine.setup()
    assert code == 0, said
    assert sorted(said.splitlines()) == sorted([*MADE.splitlines(), "setup: installing redis-server"])


def test_what_is_installed_beside_a_failed_installation_is_ended_with_it(machine: Machine) -> None:
    machine.remove("redis-server")
    begun = machine.clone / "begun"
    making = f"case $* in '-m venv '*) echo $$ >{begun}.new; mv {begun}.new {begun}; exec sleep 300 ;; esac"
    machine.programs.joinpath("mv").symlink_to(shutil.which("mv") or "")
    machine.add("python3", f'{making}; exec {sys.base_prefix}/bin/python3 "$@"')
    machine.allow_sudo(installs=f"{until(begun)}; exit 100")
    code, said = machine.setup()
    assert code == 1, said
    pid = int(begun.read_text())
    eventually(lambda: not Path(f"/proc/{pid}").exists(), 30, "it has ended")


def test_homebrew_is_used_where_there_is_no_apt(machine: Machine) -> None:
    lack_redis(machine)
    machine.remove("apt-get")
    machine.add("brew", f'echo "$*" >>{machine.clone}/calls; {machine.bringing("redis-server")}')
    code, said = machine.setup()
    assert code == 0, said
    assert machine.calls == ["install --quiet redis"]


def test_a_system_without_a_known_package_manager_is_told_what_it_lacks(machine: Machine) -> None:
    lack_redis(machine)
    machine.remove("apt-get")
    code, said = machine.setup()
    assert code == 1
    assert "redis-server" in said


def test_the_virtual_environment_is_made_kept_and_made_again_where_the_clone_was_moved(machine: Machine) -> None:
    assert machine.setup() == (0, MADE)
    assert machine.setup() == (0, "")
    moved = Machine(machine.clone.with_name("moved"), machine.programs)
    machine.clone.rename(moved.clone)
    assert moved.setup() == (0, MADE)
    assert moved.setup() == (0, "")
    pip = subprocess.run([moved.clone / ".venv/bin/pip", "--version"], capture_output=True, text=True, check=True)
    assert str(moved.clone) in pip.stdout


def test_an_environment_of_which_the_making_was_interrupted_is_made_again(machine: Machine) -> None:
    machine.pretend_venv()
    (machine.clone / ".venv/pyvenv.cfg").unlink()
    assert machine.setup() == (0, MADE)
    assert (machine.clone / ".venv/pyvenv.cfg").exists()


def test_two_at_once_do_not_meet(machine: Machine) -> None:
    machine.pretend_venv()
    with (machine.clone / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = machine.popen()
        assert process.stderr is not None
        assert process.stderr.readline() == "setup: waiting for another set-up to end\n"
        assert process.poll() is None
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == os.EX_OK
