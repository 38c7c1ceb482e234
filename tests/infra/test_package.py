"""The zips: only what belongs in them, the same bytes every time, and nothing that Lambda could not load."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.checks.template.command import broken_rules
from infra.checks.template.translation import translate
from infra.package import artefact as artefacts
from infra.package.artefact import Artefact
from infra.package.command import DEFAULT_CACHE, build, main
from infra.package.contents import LAYER_REQUIREMENTS, build_function, build_layer
from infra.package.deployable import deployable_template
from infra.package.elf import NotElf, read_shared_object
from infra.package.target import Target
from infra.package.wheels import fetch_wheels, unpack_wheel
from infra.sam import LAYER, Function, read_sam
from local_runtime.cli.errors import CliError
from local_runtime.settings import PROJECT_ROOT

UNCHECKED_HASH = 0b01
NOT_SHIPPED = {"boto3", "botocore", "flask", "gevent", "gunicorn", "prometheus_client", "rich", "websockets", "httptools", "yaml"}
SAM = read_sam()
ARM, INTEL = Target(SAM.runtime, "arm64"), Target(SAM.runtime, "x86_64")
HERE, ELSEWHERE = (ARM, INTEL) if platform.machine() in ("aarch64", "arm64") else (INTEL, ARM)


@pytest.fixture(scope="module")
def built() -> Mapping[str, Artefact]:
    """All artefacts for this machine."""
    return {artefact.name: artefact for artefact in build(SAM, [], HERE, DEFAULT_CACHE)}


@pytest.fixture(scope="module")
def unpacked(built: Mapping[str, Artefact], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer and a function as Lambda unpacks them."""
    root = tmp_path_factory.mktemp("lambda")
    for name, place in (("layer", "opt"), ("update_score", "task")):
        zipfile.ZipFile(built[name].write(root)).extractall(root / place)
    return root


def copy_of_the_sources(directory: Path) -> Path:
    for name in ("functions", "shared", "infra"):
        shutil.copytree(PROJECT_ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    return directory / "infra" / "template.yaml"


def own_function(directory: Path, **files: str) -> Function:
    directory.mkdir()
    for name, text in {"handler.py": "def lambda_handler(event, context): ...\n", **files}.items():
        (directory / name).write_text(text)
    return Function("Own", directory, {})


def library(artefact: Artefact, name: str) -> bytes:
    return next(content for path, content in artefact.files.items() if name in path and path.endswith(".so"))


def test_there_is_a_zip_for_each_function_and_one_for_the_layer(built: Mapping[str, Artefact]) -> None:
    assert set(built) == {"layer", *(path.parent.name for path in (PROJECT_ROOT / "functions").glob("*/handler.py"))}


def test_a_function_has_its_directory_and_nothing_else(built: Mapping[str, Artefact]) -> None:
    compiled = f"__pycache__/handler.cpython-{SAM.runtime.removeprefix('python').replace('.', '')}.pyc"
    assert set(built["update_score"].files) == {"handler.py", compiled}
    assert set(built["get_openapi"].files) == {"handler.py", compiled, "openapi.json"}
    assert {"files/index.html", "files/app.js", "files/style.css", "files/scoreboard.js"} <= set(built["get_page"].files)


def test_the_layer_has_the_package_and_its_libraries_under_python(built: Mapping[str, Artefact]) -> None:
    paths = set(built["layer"].files)
    tops = {path.split("/")[1].partition(".")[0] for path in paths}
    assert {path.split("/")[0] for path in paths} == {"python"}
    assert {"shared", "redis", "hiredis", "pika", "pg8000", "jwt", "cryptography", "argon2", "msgspec"} <= tops
    assert not NOT_SHIPPED & tops
    assert "bin" not in tops
    assert "python/shared/boards/lua/update_score.lua" in paths
    assert any(path.endswith("/migrations/0001_users.sql") for path in paths)


def test_every_module_has_byte_code_that_is_never_checked(built: Mapping[str, Artefact]) -> None:
    for artefact in built.values():
        modules = {path for path in artefact.files if path.endswith(".py")}
        assert modules
        for path in modules:
            content = artefact.files[importlib.util.cache_from_source(path)]
            assert struct.unpack_from("<I", content, 4)[0] == UNCHECKED_HASH, path


def test_what_was_packaged_runs_with_nothing_else_installed(unpacked: Path) -> None:
    program = (
        "import sys, handler, redis, hiredis, pika, pg8000, jwt, msgspec, argon2; "
        "from cryptography.hazmat.primitives.ciphers.aead import AESGCM; "
        "print(sys.modules['shared.core.errors'].__cached__)"
    )
    (unpacked / "opt" / "python" / "shared" / "core" / "errors.py").write_text("raise SystemExit('this is not the byte-code')")
    done = subprocess.run(
        [HERE.interpreter, "-P", "-S", "-s", "-c", program],
        env={"PYTHONPATH": f"{unpacked}/task:{unpacked}/opt/python"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{unpacked}/opt/python/shared/core/__pycache__/")


def test_the_same_sources_give_the_same_bytes_wherever_they_lie(built: Mapping[str, Artefact], tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        template = copy_of_the_sources(tmp_path / "elsewhere")
    finally:
        os.umask(before)
    names = ["update_score", "layer", "get_openapi"]
    command = [sys.executable, "-m", "infra.package", *names, "--template", str(template), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--arch", HERE.architecture], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    again = dict(line.split()[:2] for line in done.stdout.splitlines())
    assert again == {f"{name}.zip": built[name].sha256 for name in names}


def test_certificates_beside_the_template_go_into_the_layer(built: Mapping[str, Artefact], tmp_path: Path) -> None:
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    (certificates / "ca.pem").write_text("PEM")
    layer = build_layer(SAM.layer, certificates, HERE, DEFAULT_CACHE)
    assert layer.files == {**built["layer"].files, "certificates/ca.pem": b"PEM"}


def test_a_changed_source_gives_other_bytes(built: Mapping[str, Artefact], tmp_path: Path) -> None:
    template = copy_of_the_sources(tmp_path / "changed")
    handler = tmp_path / "changed" / "functions" / "update_score" / "handler.py"
    handler.write_text(f"{handler.read_text()}\nCHANGED = True\n")
    (changed,) = build(read_sam(template), ["update_score"], HERE, DEFAULT_CACHE)
    assert changed.sha256 != built["update_score"].sha256


def test_both_architectures_are_packaged_and_neither_passes_for_the_other(built: Mapping[str, Artefact]) -> None:
    (there,) = build(SAM, ["layer"], ELSEWHERE, DEFAULT_CACHE)
    for layer, target, other in ((built["layer"], HERE, ELSEWHERE), (there, ELSEWHERE, HERE)):
        assert layer.problems(target) == []
        assert any("is for another machine" in problem for problem in layer.problems(other))


def test_the_elf_reader_agrees_with_what_is_known_of_a_library(built: Mapping[str, Artefact]) -> None:
    found = read_shared_object(library(built["layer"], "_rust"))
    assert found.machine == HERE.elf_machine
    assert "libc.so.6" in found.needed
    assert (2, 2) < found.glibc <= HERE.glibc


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"GLIBC_2.", b"GLIBC_9.", "needs glibc 9."),
        (b"libgcc_s.so.1", b"libxyz_s.so.1", "needs libxyz_s.so.1, which is not there"),
        (b"\x7fELF\x02", b"\x7fELF\x01", "is no shared object"),
        (b"\x7fELF\x02\x01", b"MZ", "is no shared object"),
    ],
)
def test_a_library_that_would_not_load_is_found(built: Mapping[str, Artefact], old: bytes, new: bytes, problem: str) -> None:
    content = library(built["layer"], "_rust")
    assert old in content
    assert Artefact("x", {"a.so": content}).problems(HERE) == []
    found = Artefact("x", {"a.so": content.replace(old, new)}).problems(HERE)
    assert any(problem in each for each in found), found


def test_a_damaged_library_is_found(built: Mapping[str, Artefact]) -> None:
    content = library(built["layer"], "_rust")
    for size in (5, 64, 100, len(content) // 2):
        with pytest.raises(NotElf):
            read_shared_object(content[:size])


def test_lambdas_limits_are_kept(monkeypatch: pytest.MonkeyPatch, built: Mapping[str, Artefact]) -> None:
    handler = built["update_score"]
    assert handler.problems(HERE) == []
    monkeypatch.setattr(artefacts, "MAX_ZIP_BYTES", len(handler.zip) - 1)
    monkeypatch.setattr(artefacts, "MAX_UNZIPPED_BYTES", handler.unzipped_bytes - 1)
    assert [problem.partition(" has ")[0] for problem in handler.problems(HERE)] == [
        "update_score: the zip",
        "update_score: unzipped it",
    ]


def test_a_function_brings_its_own_libraries_by_hash(tmp_path: Path) -> None:
    pins = LAYER_REQUIREMENTS.read_text().split("\nsix==")[1]
    own = own_function(tmp_path / "own", **{"requirements.txt": f"six=={pins}"})
    assert {"handler.py", "six.py"} <= set(build_function(own, ARM, DEFAULT_CACHE).files)
    careless = own_function(tmp_path / "careless", **{"requirements.txt": f"six=={pins.split()[0]}\n"})
    with pytest.raises(CliError, match="hash"):
        build_function(careless, ARM, tmp_path / "cache")


def test_a_changed_library_in_the_cache_is_found(tmp_path: Path) -> None:
    fetch_wheels(LAYER_REQUIREMENTS, ARM, DEFAULT_CACHE)
    shutil.copytree(DEFAULT_CACHE, tmp_path / "cache")
    for wheel in (tmp_path / "cache").glob("*/six-*.whl"):
        wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(CliError, match="is not what was fetched"):
        fetch_wheels(LAYER_REQUIREMENTS, ARM, tmp_path / "cache")


def test_a_module_that_does_not_compile_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="byte-code cannot be made"):
        build_function(own_function(tmp_path / "own", **{"broken.py": "def f(:\n"}), ARM, DEFAULT_CACHE)


def test_only_what_is_named_is_written_and_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["update_score", "ws_message", "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"update_score.zip", "ws_message.zip"}
    lines = [line.split() for line in capfd.readouterr().out.splitlines()]
    for name, digest, zipped, _ in lines:
        content = (tmp_path / "out" / name).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (digest, int(zipped))


def test_the_deployable_template_is_the_template_with_the_zips_in_their_places(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(deployable_template(SAM, INTEL), encoding="utf-8")
    sam = read_sam(path)
    code = {function.name: function.properties["CodeUri"] for function in SAM.functions}
    assert [each.properties["CodeUri"] for each in sam.functions] == [f"{name}.zip" for name in code]
    ((_, layer),) = sam.resources(LAYER)
    assert (layer["ContentUri"], layer["CompatibleArchitectures"], sam.architecture) == ("layer.zip", ["x86_64"], "x86_64")
    assert broken_rules(translate(sam), SAM) == []


def test_the_deployable_template_allows_the_runtime_that_the_artefacts_are_for_and_no_other(tmp_path: Path) -> None:
    newest = SAM.runtimes[-1]
    path = tmp_path / "template.yaml"
    path.write_text(deployable_template(SAM, Target(newest, "arm64")), encoding="utf-8")
    assert (read_sam(path).runtime, read_sam(path).runtimes) == (newest, (newest,))
    assert broken_rules(translate(read_sam(path)), SAM) == []


@pytest.mark.parametrize("runtime", SAM.runtimes)
def test_every_runtime_of_the_template_has_all_libraries_of_the_layer(runtime: str) -> None:
    target = Target(runtime, "arm64")
    wheels = fetch_wheels(LAYER_REQUIREMENTS, target, DEFAULT_CACHE)
    pinned = {line.partition("==")[0] for line in LAYER_REQUIREMENTS.read_text().splitlines() if "==" in line}
    assert len(wheels) == len(pinned)
    layer = Artefact("layer", {path: content for wheel in wheels for path, content in unpack_wheel(wheel).items()})
    assert layer.problems(target) == []


def test_a_runtime_that_the_template_has_not_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    template = copy_of_the_sources(tmp_path)
    template.write_text(deployable_template(SAM, HERE))
    assert main(["update_score", "--runtime", SAM.runtimes[-1], "--template", str(template), "--out", str(tmp_path / "out")]) == 2
    assert f"lets functions run on {HERE.runtime}, and not on {SAM.runtimes[-1]}" in capfd.readouterr().err


def test_an_unknown_name_is_refused_with_those_there_are(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["update_scores", "--out", str(tmp_path / "out")]) == 2
    message = capfd.readouterr().err
    assert "there is no update_scores" in message
    assert "update_score," in message
    assert not (tmp_path / "out").exists()


def test_a_runtime_without_a_known_operating_system_is_refused() -> None:
    with pytest.raises(CliError, match=r"python3\.9 is not known"):
        Target("python3.9", "arm64")
