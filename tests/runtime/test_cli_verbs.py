"""The command line: what is understood, what is refused, and with which words and exit codes."""

from __future__ import annotations

import errno
import gzip
import hashlib
import importlib
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

import pytest

from local_runtime.cli.command import command, pasteable
from local_runtime.cli.main import VERBS, build_parser, main
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.keyring import Keyring
from local_runtime.settings import PROJECT_ROOT, InstanceSettings
from tests.runtime.verbs import seeming_instance


def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """The real program."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCOREBOARD_")} | variables
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", *arguments],
        cwd=PROJECT_ROOT,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def command_of(python: str) -> str:
    """What somebody at PROJECT_ROOT types for this interpreter and the program."""
    path = Path(python)
    return f"{path.relative_to(PROJECT_ROOT) if path.is_relative_to(PROJECT_ROOT) else path} -m local_runtime"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_and_its_exit_codes(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"{command()} {verb}" in re.split("examples?:", text, maxsplit=1)[1]
    assert "  0  " in text.partition("exit codes:")[2]


def examples_of(verb: str) -> list[list[str]]:
    """The arguments of every command line in the verb's help, without what stands before or behind it in a pipe."""
    epilog: str = importlib.import_module(f"local_runtime.cli.{VERBS[verb][0]}").EPILOG
    lines = re.split("examples?:\n", epilog, maxsplit=1)[1].partition("\n\n")[0].splitlines()
    found = []
    for line in lines:
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
        commands = [list(words) for is_pipe, words in itertools.groupby(words, lambda word: word in ("|", ">")) if not is_pipe]
        found += [words[1:] for words in commands if words[0] == "scoreboard"]
    assert len(found) == len(lines), "every line of the examples is a command of ours"
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_every_example_of_a_help_is_understood(verb: str) -> None:
    parser = build_parser()
    for arguments in examples_of(verb):
        assert arguments[0] == verb
        assert parser.parse_args(arguments).run is importlib.import_module(f"local_runtime.cli.{VERBS[verb][0]}").run


@pytest.mark.parametrize("verb", VERBS)
def test_exit_codes_mean_the_same_for_every_verb(verb: str) -> None:
    epilog: str = importlib.import_module(f"local_runtime.cli.{VERBS[verb][0]}").EPILOG
    codes = [int(code) for code in re.findall(r"^ +(\d+)  ", epilog.partition("exit codes:\n")[2], re.MULTILINE)]
    assert codes == sorted(codes)
    assert {0, 1, 2} <= set(codes) <= {0, 1, 2, 3, 70, 130}


def test_a_help_shows_defaults_of_0_and_false(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["serve", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for default in ("MEMORY_MB; 0", "TLS; false", "TLS_CERT; none", "ROLE; none", "PORT; 8080"):
        assert f"(SCOREBOARD_{default})" in shown


def test_every_option_of_an_instance_may_be_given_to_serve(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    text = capsys.readouterr().out
    for item in fields(InstanceSettings):
        assert f"--{item.name.replace('_', '-')}" in text


def test_the_overview_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"    {verb} " in text for verb in VERBS)


def test_the_version_is_the_projects() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("scoreboard 0.")


@pytest.mark.parametrize(
    "arguments", [["no-such-verb"], ["serve", "--no-such-option"], ["create-user"], ["create-user", "x", "--role", "god"]]
)
def test_what_is_not_understood_is_bad_usage(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "eighty"], "not a whole number"),
        (["serve", "--port", "70000"], "--port 70000"),
        (["serve", "--workers", "0"], "--workers 0"),
        (["serve", "--max-body-bytes", "65537"], "--max-body-bytes 65537: at most 65536"),
        (["serve", "--host", "0.0.0.0"], "--insecure"),  # noqa: S104
        (["serve", "--template", "no-such-template.yaml"], "no-such-template.yaml"),
        (["simulate", "--url", "foo"], "--url foo: it must begin with http:// or https://"),
        (["routes", "--template", "no-such-template.yaml"], "no-such-template.yaml"),
    ],
)
def test_options_that_cannot_be_used_are_one_clear_message(arguments: list[str], says: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistyped_setting_is_told_by_its_own_name_and_once() -> None:
    done = run("serve", PUBLIC_LEADERBOARD="maybe", CORS_ALLOWED_ORIGINS="localhost:3000")
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first == "error: PUBLIC_LEADERBOARD: 'maybe' is none of true, false"
    assert second.startswith("CORS_ALLOWED_ORIGINS: 'localhost:3000' is refused: it must be exact origins")


@pytest.mark.parametrize("arguments", [["invoke", "get_scores", "-"], ["reconcile"], ["create-user", "root", "--password-stdin"]])
def test_a_verb_that_needs_an_instance_says_how_to_start_one(tmp_path: Path, arguments: list[str]) -> None:
    done = run(*arguments, "--data-dir", str(tmp_path), stdin="{}")
    assert done.returncode == 2
    assert f"{command_of(sys.executable)} serve`" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_description_a_killed_instance_has_left_is_not_believed(tmp_path: Path) -> None:
    InstanceDirectory(tmp_path).write_runtime({"function_env": {}})
    done = run("reconcile", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "no instance is ready" in done.stderr


def test_an_instance_that_is_just_starting_is_waited_for_and_no_other_started(tmp_path: Path) -> None:
    with InstanceDirectory(tmp_path).claimed():
        done = run("status", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert f"the instance with pid {os.getpid()} on {tmp_path} is just starting or ending: try again" in done.stderr


@pytest.mark.parametrize(("event", "says"), [("{", "not JSON"), ("no-such-file.json", "cannot be read")])
def test_an_event_that_cannot_be_used_is_bad_usage(tmp_path: Path, event: str, says: str) -> None:
    path = tmp_path / "event.json"
    path.write_text(event)
    done = run("invoke", "get_scores", event if event.endswith(".json") else str(path), "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert says in done.stderr


def test_a_directory_is_no_file_of_the_archive(tmp_path: Path) -> None:
    done = run("archive", "show", str(tmp_path))
    assert (done.returncode, done.stderr) == (1, f"error: {tmp_path}: cannot be read: Is a directory\n")


PLAYED = [1, "6d1a6e0b", "0f8a7d5e", 2, 2, 1751328000000000, None, None]
DESCRIBED = {
    "kind": "score_history",
    "part": "2025-07",
    "firstId": 1,
    "lastId": 1,
    "recordedUntil": "2025-08-01T00:00:00.000Z",
    "keyId": "k",
    "mac": "m",
}


def file_of_archive(path: Path, row: object, **members: object) -> Path:
    """A file of one row whose digest is right, whatever else its last line says."""
    line = json.dumps(row)
    about = {**DESCRIBED, "rows": 1, "digest": hashlib.sha256(f"{line}\n".encode()).hexdigest(), **members}
    path.write_bytes(gzip.compress(f"{line}\n{json.dumps({'archive': about})}\n".encode()))
    return path


def test_a_row_of_the_archive_is_shown_as_json(tmp_path: Path) -> None:
    done = run("archive", "show", str(file_of_archive(tmp_path / "file", PLAYED)))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["createdAt"] == "2025-07-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("row", "members"),
    [
        (PLAYED[:-1], {}),
        ([*PLAYED[:5], "yesterday", *PLAYED[6:]], {}),
        (PLAYED, {"kind": "users"}),
        (PLAYED, {"kind": "audit_log"}),
        (["x", "yesterday", *PLAYED[2:]], {"kind": "audit_log"}),
        (PLAYED, {"kind": []}),
        (PLAYED, {"recordedUntil": "soon"}),
    ],
)
def test_a_foreign_file_that_agrees_with_itself_is_no_file_of_the_archive(
    tmp_path: Path, row: list[object], members: dict[str, object]
) -> None:
    file = file_of_archive(tmp_path / "file", row, **members)
    done = run("archive", "show", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == pasteable(f"error: {file}: no file of `scoreboard archive export`, or its end is missing\n")


def test_nothing_to_stop_is_fine(tmp_path: Path) -> None:
    InstanceDirectory(tmp_path).write_runtime({})
    done = run("down", "--data-dir", str(tmp_path))
    assert done.returncode == 0
    assert "no instance runs" in done.stdout
    assert not (tmp_path / "runtime.json").exists()


def test_a_reader_that_stops_reading_is_no_error() -> None:
    shell = f"{sys.executable} -m local_runtime doctor | true"
    done = subprocess.run(["/bin/sh", "-c", shell], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_a_missing_terminal_for_the_password_is_explained(tmp_path: Path) -> None:
    directory = InstanceDirectory(tmp_path)
    with directory.claimed():
        directory.write_runtime({"function_env": {}})
        done = run("create-user", "root", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "--password-stdin" in done.stderr


def test_an_empty_password_is_refused(tmp_path: Path) -> None:
    directory = InstanceDirectory(tmp_path)
    with directory.claimed():
        directory.write_runtime({"function_env": {}})
        done = run("create-user", "root", "--password-stdin", "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert "its first line is the password" in done.stderr


def run_in_shell(line: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`line` is what a shell is told, with "$@" for the program and its arguments."""
    return subprocess.run(
        ["/bin/sh", "-c", line, "sh", sys.executable, "-m", "local_runtime", *arguments],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create-user", "root"], "there is no terminal"),
        (["create-user", "root", "--password-stdin"], "stdin holds no password"),
        (["simulate", "--url", "http://127.0.0.1:9", "--admin", "root"], "stdin holds no password"),
        (["invoke", "get_scores", "-"], "is not JSON"),
        (["keys", "import", "-"], "error: "),
    ],
)
def test_a_closed_stdin_is_an_empty_one(tmp_path: Path, arguments: list[str], says: str) -> None:
    with seeming_instance(tmp_path, {}):
        done = run_in_shell('"$@" <&-', *arguments, "--data-dir", str(tmp_path))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert says in done.stderr


@pytest.mark.parametrize("arguments", [["doctor"], ["logs"], ["--version"]])
def test_a_closed_stdout_is_no_error(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "http.log").write_text("a line\n")
    data_dir = [] if arguments == ["--version"] else ["--data-dir", str(tmp_path)]
    done = run_in_shell('"$@" >&-', *arguments, *data_dir)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["doctor"], ["logs"], ["keys", "export"]])
def test_a_full_disk_behind_stdout_is_one_clear_message(tmp_path: Path, arguments: list[str]) -> None:
    Keyring.load_or_make(tmp_path / "secrets.json").save(tmp_path / "secrets.json")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "http.log").write_text("a line\n")
    done = run_in_shell('"$@" >/dev/full', *arguments, "--data-dir", str(tmp_path))
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert told == ["error: stdout cannot be written: No space left on device"]


def test_a_disk_that_is_full_is_one_clear_message(tmp_path: Path) -> None:
    full = f"ulimit -f 1; exec {sys.executable} -m local_runtime serve --port 0 --data-dir {tmp_path}/data"
    done = subprocess.run(["/bin/sh", "-c", full], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 1
    assert "choose another --data-dir" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [(["serv"], "serve"), (["dead-leters"], "dead-letters"), (["serve", "--prot", "80"], "--port"), (["top", "--jsn"], "--json")],
)
def test_a_slip_is_told_what_may_have_been_meant(arguments: list[str], meant: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert f"did you mean `{meant}`?" in done.stderr


@pytest.mark.parametrize(("verb", "option"), [("status", "--foo"), ("routes", "--data-dir"), ("keys", "--part")])
def test_options_of_other_verbs_are_not_suggested(verb: str, option: str) -> None:
    done = run(verb, *(["show"] if verb == "keys" else []), option)
    assert done.returncode == 2
    assert f"unrecognized arguments: {option}" in done.stderr
    assert "did you mean" not in done.stderr


def test_what_is_printed_is_called_as_the_shell_called_it() -> None:
    told = pasteable("Ask with `scoreboard status`; the scoreboard is up:\n  scoreboard top | cat\n  make | scoreboard tail")
    own = command()
    assert told == f"Ask with `{own} status`; the scoreboard is up:\n  {own} top | cat\n  make | {own} tail"


def test_a_dotenv_file_of_the_working_directory_is_read_and_the_environment_beats_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SCOREBOARD_WORKERS=no-number\n# what follows is quoted\nSCOREBOARD_PORT='none'\n")

    def serve(**environment: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "local_runtime", "serve", "--data-dir", str(tmp_path / "data")],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        ).stderr

    told = serve(SCOREBOARD_PORT="nor-this")
    assert "SCOREBOARD_WORKERS='no-number'" in told
    assert "SCOREBOARD_PORT='nor-this'" in told


def test_a_secret_may_stand_in_a_file_and_what_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    def serve(**environment: str) -> str:
        return run("serve", "--data-dir", str(tmp_path / "data"), **environment).stderr

    (tmp_path / "url").write_text("http://user:hidden@broker\n")
    (tmp_path / "empty").write_text("\n")
    told = serve(AMQP_URL_FILE=str(tmp_path / "url"))
    assert "AMQP_URL=http://user:***@broker" in told
    told = serve(
        AMQP_URL_FILE=str(tmp_path / "url"),
        AMQP_URL="amqp://another",
        PAYLOAD_KEYS_FILE=str(tmp_path / "none"),
        JWT_SIGNING_KEY_FILE=str(tmp_path / "empty"),
    )
    assert "AMQP_URL_FILE and AMQP_URL are both set" in told
    assert f"PAYLOAD_KEYS_FILE={tmp_path / 'none'} cannot be read: No such file or directory" in told
    assert f"JWT_SIGNING_KEY_FILE={tmp_path / 'empty'} is empty" in told


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_is_given_the_verbs_to_complete(shell: str) -> None:
    done = run("completion", shell)
    assert done.returncode == 0
    assert "dead-letters" in done.stdout
    assert "--data-dir" in done.stdout


def test_logs_are_shown_in_the_order_of_their_time_without_an_instance(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name, times in {"http": (1, 3), "consumer": (2, 4)}.items():
        lines = [
            f'{{"at":"2026-11-28T12:00:0{at}.000Z","level":"info","process":"{name}","message":"line {at}"}}\n' for at in times
        ]
        (logs / f"{name}.log").write_text("".join(lines))
    redis = tmp_path / "redis" / "redis.log"
    redis.parent.mkdir()
    redis.write_text("4711:M 24 Nov 2026 12:00:00.123 * Ready to accept connections\n")

    def numbers(*arguments: str) -> list[str]:
        done = run("logs", "--data-dir", str(tmp_path), *arguments)
        assert done.returncode == 0, done.stderr
        return re.findall(r'"message":"(?:line )?([^"]+)"', done.stdout)

    assert numbers() == ["1", "2", "3", "4"]
    assert numbers("--last", "1") == ["3", "4"]
    assert numbers("http") == ["1", "3"]
    assert numbers("redis") == ["Ready to accept connections"]
    unknown = run("logs", "nothing", "--data-dir", str(tmp_path))
    assert (unknown.returncode, "there are consumer, http, redis" in unknown.stderr) == (2, True)


@pytest.mark.parametrize("arguments", [["logs"], ["keys", "show"], ["keys", "export"], ["status"]])
def test_what_is_another_users_is_not_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    def refuse(*_arguments: object) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / "theirs"))

    monkeypatch.setattr(Path, "iterdir", refuse)
    monkeypatch.setattr(InstanceDirectory, "holder", refuse)
    assert main([*arguments, "--data-dir", str(tmp_path)]) == 2
    said = f"error: {tmp_path / 'theirs'} may not be read by you: run this as the user who runs the instance\n"
    assert capsys.readouterr().err == said
