"""How lines look, where they go, and that a file of them has an end."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_runtime.cli.console import Console
from local_runtime.logs.follower import MOST_AT_ONCE, LogFollower
from local_runtime.logs.options import LogOptions, console_level
from local_runtime.logs.rotation import LogFile
from local_runtime.logs.servers import server_line
from local_runtime.logs.stream import FULL_CHARACTERS, LineStream, for_people
from local_runtime.logs.text import parsed, rendered
from shared.core.lines import encoded, instant

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = """
import logging, os
from local_runtime.logs.setup import configure_logs
configure_logs("some", os.environ)
logging.getLogger("local_runtime.one").debug("ours")
logging.getLogger("botocore.parsers").debug("a secret")
logging.getLogger("botocore.parsers").warning("theirs")
try:
    raise KeyError("unexpected")
except KeyError as error:
    import sys
    sys.excepthook(type(error), error, error.__traceback__)
"""
AT = "2026-11-24T12:00:00.123Z"
LINE = {
    "at": AT,
    "level": "warning",
    "trigger": "http",
    "function": "update_score",
    "request_id": "r-1",
    "outcome": "rate_limited",
    "duration_ms": 1.5,
    "user_id": "u-1",
    "route": "POST /api/score/{user_id}",
    "status": 429,
}
BATCH = {"at": AT, "level": "info", "trigger": "queue", "function": "record_scores", "outcome": "ok", "updates": ["a", "b"]}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def test_a_line_for_people_says_what_happened_first() -> None:
    shown = rendered(LINE, coloured=False)
    what = "warn  update_score       429 rate_limited · POST /api/score/{user_id}  request_id=r-1 duration_ms=1.5 user_id=u-1"
    assert shown[12:] == f" {what}"
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.123", shown[:12])
    assert rendered(BATCH, coloured=False)[13:] == "info  record_scores      ok · queue  updates=[2]"


def test_colour_changes_nothing_but_the_colour() -> None:
    shown = rendered(LINE, coloured=True)
    assert COLOUR.search(shown)
    assert COLOUR.sub("", shown) == rendered(LINE, coloured=False)


@given(st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.lists(st.text(), max_size=3), max_size=5))
def test_nothing_that_was_logged_gives_orders_to_the_terminal(members: dict[str, Any]) -> None:
    shown = rendered({"at": AT, "level": "info", "message": "\x1b[2J\r\n", **members}, coloured=False)
    assert all(each.isprintable() for each in shown.replace("\n    ", ""))


def test_a_traceback_stands_below_its_line() -> None:
    shown = rendered({"at": AT, "level": "error", "process": "http", "message": "failed", "traceback": "a\nb"}, coloured=False)
    assert shown.splitlines()[1:] == ["    a", "    b"]


def test_lines_are_made_readable_and_what_is_none_stays_as_it_is() -> None:
    show = for_people(coloured=False)
    assert show(json.dumps(BATCH) + "\n").endswith("updates=[2]\n")
    assert show("plain\n") == "plain\n"
    assert show("{broken\n") == "{broken\n"


@pytest.fixture
def descriptor(tmp_path: Path) -> Any:
    opened = os.open(tmp_path / "lines.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    yield opened
    os.close(opened)


def test_a_buffer_waits_until_it_is_flushed_or_full(descriptor: int, tmp_path: Path) -> None:
    written = tmp_path / "lines.log"
    stream = LineStream(descriptor, is_buffered=True)
    stream.write("one\n")
    assert written.read_text() == ""
    stream.flush()
    assert written.read_text() == "one\n"
    stream.write("x" * FULL_CHARACTERS + "\n")
    assert written.stat().st_size == FULL_CHARACTERS + 5


def test_without_a_buffer_whole_lines_are_written_in_one_piece(descriptor: int, tmp_path: Path) -> None:
    stream = LineStream(descriptor)
    stream.write("half a ")
    assert (tmp_path / "lines.log").read_text() == ""
    stream.write("line\n")
    assert (tmp_path / "lines.log").read_text() == "half a line\n"
    stream.write("\ud800\n")
    assert (tmp_path / "lines.log").read_text() == "half a line\n\\ud800\n"


def test_what_cannot_be_written_is_given_to_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "lines.log").touch()
    descriptor = os.open(tmp_path / "lines.log", os.O_RDONLY)
    given: list[str] = []
    stream = LineStream(descriptor, otherwise=given.append)
    stream.write("one\n")
    os.close(descriptor)
    assert given == ["one\n"]


def test_a_full_file_is_put_aside_by_one_and_followed_by_all(tmp_path: Path) -> None:
    path = tmp_path / "http.log"
    descriptors = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for _ in range(3)]
    files = [LogFile(path, 10, (each,)) for each in descriptors]
    for number in range(6):
        for file, descriptor in zip(files, descriptors, strict=True):
            os.write(descriptor, b"a line\n")
            file.tend()
        assert path.stat().st_size <= 21, number
    for file, descriptor in zip(files, descriptors, strict=True):
        file.tend()
        assert os.fstat(descriptor).st_ino == path.stat().st_ino
        os.close(descriptor)
    aside = path.with_name("http.log.1")
    assert set(aside.read_text().splitlines()) == {"a line"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_somebody_else_has_just_put_aside_stays_aside(tmp_path: Path) -> None:
    path = tmp_path / "http.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    file = LogFile(path, 10, (descriptor,))
    own = os.fstat(descriptor)
    path.replace(tmp_path / "http.log.1")
    path.write_text("new\n")
    assert file._retire(own)  # as if it had looked a moment before
    assert path.read_text() == "new\n"
    file.tend()
    assert os.fstat(descriptor).st_ino == path.stat().st_ino
    os.close(descriptor)


@contextmanager
def following(directory: Path, level: str = "WARNING") -> Iterator[tuple[LogFollower, list[dict[str, Any]]]]:
    shown: list[dict[str, Any]] = []
    follower = LogFollower(directory, level, shown.append)
    yield follower, shown
    follower.close()


def say(path: Path, *lines: dict[str, Any] | str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line if isinstance(line, str) else json.dumps(line, separators=(',', ':'))}\n" for line in lines)


def test_the_console_shows_what_is_new_and_grave_from_files_old_and_new(tmp_path: Path) -> None:
    old, new = tmp_path / "http.log", tmp_path / "consumer.log"
    say(old, {**LINE, "request_id": "before"})
    with following(tmp_path) as (followed, shown):
        say(old, BATCH, LINE)
        say(new, {**LINE, "function": "record_scores"})
        followed.poll()
        assert [line["function"] for line in shown] == ["update_score", "record_scores"]
        followed.poll()
        assert len(shown) == 2


def test_lines_of_several_files_are_shown_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    with following(tmp_path) as (followed, shown):
        say(tmp_path / "a.log", {**LINE, "at": AT.replace("123", "300")}, {**LINE, "at": AT.replace("123", "500")})
        say(tmp_path / "b.log", {**LINE, "at": AT.replace("123", "200")}, {**LINE, "at": AT.replace("123", "400")})
        followed.poll()
        assert [line["at"][-4:-1] for line in shown] == ["200", "300", "400", "500"]


@pytest.mark.parametrize(("level", "decoded"), [("WARNING", ["warning"]), ("INFO", ["info", "warning"])])
def test_lines_of_lower_levels_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, decoded: list[str]
) -> None:
    parsed_levels: list[str] = []

    def noting(text: str) -> dict[str, Any] | None:
        parsed_levels.append(json.loads(text)["level"])
        return parsed(text)

    monkeypatch.setattr("local_runtime.logs.follower.parsed", noting)
    log = tmp_path / "http.log"
    log.touch()
    follower = LogFollower(tmp_path, level, lambda _: None)
    for each in ("debug", "info", "warning"):
        say(log, encoded({"at": instant(), "level": each, "message": "something"}))
    follower.poll()
    follower.close()
    assert parsed_levels == decoded


def test_of_a_server_only_its_life_is_shown_not_its_start_and_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    redis = tmp_path / "redis" / "redis.log"
    redis.parent.mkdir()
    console = Console(tmp_path, {"LOG_FORMAT": "text", "NO_COLOR": "1"}, None, verbose=False)

    def says(word: str) -> None:
        say(redis, f"4711:M 24 Nov 2026 12:00:00.123 # {word}")
        console.tick()

    console.starting("redis")
    says("starts")
    console.ready("redis", 0.1)
    console.serving()
    says("lives")
    console.ended("redis", "was killed by SIGKILL", 0.0)
    console.starting("redis")
    says("starts again")
    console.ready("redis", 0.1)
    says("lives on")
    console.stopping("redis")
    says("goes")
    console.close()
    shown = [line[13:] for line in capsys.readouterr().err.splitlines()]
    assert shown == [
        "warn  redis              lives",
        "warn  supervisor         redis was killed by SIGKILL; starting it again now",
        "warn  redis              lives on",
    ]
    kept = [json.loads(line)["message"] for line in (tmp_path / "logs" / "supervisor.log").read_text().splitlines()]
    assert kept == ["redis is ready", "redis was killed by SIGKILL; starting it again now", "redis is ready"]


def test_with_a_lower_level_it_shows_ordinary_lines_too(tmp_path: Path) -> None:
    with following(tmp_path, "INFO") as (followed, shown):
        say(tmp_path / "consumer.log", {**BATCH, "level": "debug"}, BATCH)
        followed.poll()
        assert shown == [BATCH]


def test_half_a_line_waits_for_its_end_and_a_file_put_aside_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "http.log"
    path.touch()
    with following(tmp_path) as (followed, shown):
        text = json.dumps(LINE, separators=(",", ":"))
        with path.open("a") as file:
            file.write(text[:50])
            file.flush()
            followed.poll()
            assert shown == []
            path.replace(tmp_path / "http.log.1")
            say(path, {**LINE, "request_id": "r-2"})
            file.write(f"{text[50:]}\n")
        followed.poll()
        assert [line["request_id"] for line in shown] == ["r-1", "r-2"]


def test_a_file_put_aside_is_read_until_nobody_writes_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "http.log"
    path.touch()
    monkeypatch.setattr("local_runtime.logs.follower.LEAVE_SECONDS", 60.0)
    with following(tmp_path) as (followed, shown):
        path.replace(tmp_path / "http.log.1")
        say(path, {**LINE, "request_id": "r-1"})
        followed.poll()
        say(tmp_path / "http.log.1", {**LINE, "request_id": "r-2"})  # by a process that has not noticed yet
        followed.poll()
        monkeypatch.setattr("local_runtime.logs.follower.LEAVE_SECONDS", -1.0)
        path.replace(tmp_path / "http.log.1")
        say(path, {**LINE, "request_id": "r-3"})
        followed.poll()
        followed.poll()
        say(tmp_path / "http.log.1", {**LINE, "request_id": "r-4"})  # after which it is left
        say(path, {**LINE, "request_id": "r-5"})
        followed.poll()
        assert [line["request_id"] for line in shown] == ["r-1", "r-2", "r-3", "r-5"]


def test_a_file_that_somebody_empties_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "http.log"
    say(path, LINE, LINE)
    with following(tmp_path) as (followed, shown):
        path.write_text("")
        say(path, {**LINE, "request_id": "r-2"})
        followed.poll()
        assert [line["request_id"] for line in shown] == ["r-2"]


def test_of_a_flood_some_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    with following(tmp_path) as (followed, shown):
        say(tmp_path / "http.log", *[LINE] * (MOST_AT_ONCE + 7))
        followed.poll()
        assert len(shown) == MOST_AT_ONCE + 1
        assert "7 lines more" in shown[-1]["message"]


@pytest.mark.parametrize(
    ("process", "text", "level", "message"),
    [
        (
            "redis",
            "4711:M 24 Nov 2026 12:00:00.123 # Can't save in background: fork",
            "warning",
            "Can't save in background: fork",
        ),
        ("redis", "4711:M 24 Nov 2026 12:00:00.123 * Ready to accept connections", "info", "Ready to accept connections"),
        ("postgresql", "2026-11-24 12:00:00.123 UTC [99] FATAL:  the database system is shutting down", "error", None),
        ("postgresql", "2026-11-24 12:00:00.123 UTC [99] LOG:  checkpoint complete", "info", "checkpoint complete"),
        ("rabbitmq", "\x1b[38;5;87m2026-11-24 12:00:00.123456+00:00 [error] <0.12.0> boom\x1b[0m", "error", "boom"),
        ("rabbitmq", "2026-11-24 12:00:00.123456+00:00 [warning] <0.12.0> closing AMQP connection", "info", None),
        ("http", "Traceback (most recent call last):", "debug", "Traceback (most recent call last):"),
    ],
)
def test_the_servers_lines_are_understood(process: str, text: str, level: str, message: str | None) -> None:
    read_at = "2026-11-24T23:00:00.000Z"
    line = server_line(process, text, read_at)
    assert (line["level"], line["process"]) == (level, process)
    assert (line["at"] == read_at) is (process == "http")
    assert process not in ("postgresql", "rabbitmq") or line["at"] == "2026-11-24T12:00:00.123Z"
    assert message is None or line["message"] == message


def test_options_that_cannot_be_used_are_the_default_ones() -> None:
    assert LogOptions.from_environment({"LOG_LEVEL": "loud", "LOG_FORMAT": "xml"}) == LogOptions()
    assert LogOptions.from_environment({"LOG_LEVEL": "debug", "LOG_FORMAT": "Text"}) == LogOptions("DEBUG", "text")


@pytest.mark.parametrize(("chosen", "is_terminal", "is_text"), [("auto", True, True), ("auto", False, False)])
@pytest.mark.parametrize("forced", ["", "json", "text"])
def test_the_format_follows_the_reader_unless_it_is_chosen(chosen: str, is_terminal: bool, is_text: bool, forced: str) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    options = LogOptions.from_environment({"LOG_FORMAT": forced or chosen})
    assert options.is_text(Stream()) is (forced == "text" if forced else is_text)


def test_libraries_say_nothing_below_info_for_it_may_be_a_secret() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"LOG_LEVEL": "DEBUG"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["level"], line["process"], line["message"]) for line in lines] == [
        ("debug", "some", "ours"),
        ("warning", "some", "theirs"),
        ("critical", "some", f"the process {lines[-1]['message'].split()[2]} ends"),
    ]
    assert "KeyError: 'unexpected'" in lines[-1]["traceback"]


def test_the_console_is_quiet_unless_told_otherwise() -> None:
    assert console_level({}, verbose=False) == "WARNING"
    assert console_level({"LOG_LEVEL": "debug"}, verbose=False) == "DEBUG"
    assert console_level({"LOG_LEVEL": "ERROR"}, verbose=True) == "INFO"
