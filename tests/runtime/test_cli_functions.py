"""Verbs that run a function: the environment they give it, what they print, and their exit codes."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_runtime.cli import reconcile
from local_runtime.cli.command import pasteable
from local_runtime.cli.main import main
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.settings import PROJECT_ROOT
from tests.support.waiting import eventually

HANDLERS = {
    "echo_event": "return {'event': event, 'greeting': os.environ['GREETING']}",
    "fail_loudly": "raise LookupError('nothing here')",
    "answer_late": "time.sleep(30)",
    "create_user": "return {'userId': 'u-1', 'apiKey': 'key of ' + event['username'], **event}",
    "reconcile_scores": "return json.loads(os.environ['RECONCILED'])",
    "manage_dead_letters": "return {'redriven': json.dumps(event), 'left': 0, **json.loads(os.environ['DEAD_LETTERS'])}",
    "verify_audit": "return json.loads(os.environ['REPORTS'])[str(event['fromSeal']) + event.get('head', '')]",
    "manage_archive": "return {'genuine': True, 'state': {'2025-07': 'filed'}[event['file']['archive']['part']]}",
    "export_audit_log": "return json.loads(os.environ['PARTS'])[event.get('from', '') + str(event['after'])]",
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory that an instance seems to run on: this process holds its lock."""
    lines = ["AWSTemplateFormatVersion: '2010-09-09'", "Transform: AWS::Serverless-2016-10-31", "Resources:"]
    for name, body in HANDLERS.items():
        code = tmp_path / "functions" / name
        code.mkdir(parents=True)
        (code / "handler.py").write_text(f"import json, os, time\ndef lambda_handler(event, context):\n    {body}\n")
        lines += [
            f"  {name.title().replace('_', '')}:",
            "    Type: AWS::Serverless::Function",
            "    Properties:",
            f"      CodeUri: functions/{name}/",
            "      Handler: handler.lambda_handler",
            "      Runtime: python3.11",
            f"      Timeout: {1 if name == 'answer_late' else 60}",
        ]
    template = tmp_path / "template.yaml"
    template.write_text("\n".join(lines) + "\n")
    directory = InstanceDirectory(tmp_path / "data")
    with directory.claimed():
        instance = {"SCOREBOARD_TEMPLATE": str(template), "GREETING": "of the instance"}
        directory.write_runtime({"function_env": instance})
        yield directory.path


def run(data_dir: Path, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_runtime", *arguments, "--data-dir", str(data_dir)],
        cwd=PROJECT_ROOT,
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answer_with(data_dir: Path, name: str, value: object) -> None:
    """What a function of HANDLERS finds in its environment."""
    directory = InstanceDirectory(data_dir)
    runtime = directory.read_runtime()
    assert runtime is not None
    runtime["function_env"][name] = json.dumps(value)
    directory.write_runtime(runtime)


def test_invoke_prints_the_result_of_a_function_run_with_the_instances_environment(data_dir: Path) -> None:
    done = run(data_dir, "invoke", "echo_event", "-", stdin='{"a": "ä"}', GREETING="of the shell")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"event": {"a": "ä"}, "greeting": "of the instance"}


def test_invoke_reads_a_file_and_knows_logical_ids(data_dir: Path, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text("[1]")
    done = run(data_dir, "invoke", "EchoEvent", str(event))
    assert json.loads(done.stdout)["event"] == [1]


def test_an_error_of_the_function_is_one_line_and_its_traceback_is_there_for_those_who_ask(data_dir: Path) -> None:
    done = run(data_dir, "invoke", "fail_loudly", "-", stdin="{}")
    assert done.returncode == 1
    assert done.stderr == "error: fail_loudly: LookupError: nothing here\n"
    asked = run(data_dir, "invoke", "fail_loudly", "-", stdin="{}", LOG_LEVEL="DEBUG")
    assert asked.returncode == 1
    assert "Traceback" in asked.stderr


def test_a_function_that_overruns_its_time_ends_the_program(data_dir: Path) -> None:
    done = run(data_dir, "invoke", "answer_late", "-", stdin="{}")
    assert done.returncode == 70
    assert "answer_late" in done.stderr


def test_an_unknown_function_is_bad_usage_and_the_others_are_named(data_dir: Path) -> None:
    done = run(data_dir, "invoke", "no_such_function", "-", stdin="{}")
    assert done.returncode == 2
    assert all(name in done.stderr for name in HANDLERS)


def test_create_user_takes_the_password_from_stdin_and_shows_the_key_once(data_dir: Path) -> None:
    done = run(data_dir, "create-user", "ada", "--role", "admin", "--password-stdin", stdin="correct horse\nsecond line\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "user id: u-1\nAPI key: key of ada  (shown this once)\n"


@pytest.mark.parametrize(
    ("report", "exit_code", "says"),
    [
        ({"players": 3, "discrepancies": []}, 0, "every player is in order"),
        ({"players": 3, "discrepancies": [{"userId": "u-7", "difference": -2}]}, 3, "u-7\t-2"),
        (
            {
                "players": 3,
                "boards": [{"board": "sprints", "compared": 8, "found": 2, "repaired": 1, "leftBecause": "see `balance`"}],
                "discrepancies": [{"userId": "u-7", "difference": 2}, {"userId": "u-8", "difference": 0, "board": "sprints"}],
            },
            3,
            "board sprints: 8 compared, 2 found, 1 repaired, left: see `balance`\nuserId\tdifference\tboard\nu-7\t2\t\nu-8\t0\t",
        ),
    ],
)
def test_reconcile_tells_by_its_exit_code_whether_all_is_in_order(
    data_dir: Path, report: dict[str, Any], exit_code: int, says: str
) -> None:
    answer_with(data_dir, "RECONCILED", report)
    done = run(data_dir, "reconcile", "--dry-run")
    assert done.returncode == exit_code, done.stderr
    assert "players: 3" in done.stdout
    assert says in done.stdout


def test_a_reconciliation_that_takes_long_says_what_it_may_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = pasteable(f"{reconcile.LATE}\n")

    def reconcile_late(*_: object) -> dict[str, Any]:
        eventually(lambda: capsys.readouterr().err == told, 10, "it is told")
        return {"players": 3, "discrepancies": []}

    monkeypatch.setattr(reconcile, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(reconcile, "invoke_function", reconcile_late)
    assert main(["reconcile", "--dry-run", "--data-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""


def test_dead_letters_are_shown_with_their_reasons(data_dir: Path) -> None:
    letter = {
        "id": 9,
        "state": "parked",
        "requestId": "r-1",
        "userId": None,
        "increment": 3,
        "reason": "unknown_user",
        "parkedAt": "now",
        "attempts": 4,
    }
    answer_with(data_dir, "DEAD_LETTERS", {"data": [letter], "total": 7})
    done = run(data_dir, "dead-letters", "list")
    assert done.returncode == 0, done.stderr
    assert "9\tparked\tr-1\t\t3\tunknown_user\tnow\t4" in done.stdout
    assert "1 of 7 dead letters" in done.stdout


def test_without_dead_letters_it_says_so(data_dir: Path) -> None:
    answer_with(data_dir, "DEAD_LETTERS", {"data": [], "total": 0})
    assert run(data_dir, "dead-letters", "list").stdout == "there are no dead letters\n"


def test_a_redrive_asks_for_what_was_named(data_dir: Path) -> None:
    answer_with(data_dir, "DEAD_LETTERS", {})
    done = run(data_dir, "dead-letters", "redrive", "--limit", "5", "--request-id", "r-1", "--request-id", "r-2")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.partition(" moved back")[0]) == {"action": "redrive", "limit": 5, "requestIds": ["r-1", "r-2"]}


def test_a_redrive_of_some_that_come_back_is_no_success_and_says_why(data_dir: Path) -> None:
    letters = [
        {"id": 1, "requestId": "r-1", "outcome": "recorded", "reason": None},
        {"id": 2, "requestId": None, "outcome": "returned", "reason": "does not decrypt"},
        {"id": 3, "requestId": "r-3", "outcome": "moved", "reason": None},
    ]
    outcomes = {"recorded": 1, "returned": 1, "moved": 1}
    answer_with(data_dir, "DEAD_LETTERS", {"redriven": 3, "left": 1, "outcomes": outcomes, "letters": letters})
    done = run(data_dir, "dead-letters", "redrive")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "3 moved back to be recorded, 1 left",
        "1 moved, 1 recorded, 1 returned",
        "dead letter 2 returned: does not decrypt",
        "r-3 moved",
    ]


@pytest.mark.parametrize(
    ("arguments", "event"),
    [
        (("show", "7"), {"action": "show", "id": 7}),
        (("show", "r-1"), {"action": "show", "id": "r-1"}),
        (("show", "²"), {"action": "show", "id": "²"}),
        (("list", "--state", "discarded", "--limit", "9"), {"action": "list", "limit": 9, "state": "discarded"}),
        (("redrive", "7", "r-1"), {"action": "redrive", "limit": 10_000, "ids": [7], "requestIds": ["r-1"]}),
        (("discard", "7", "--reason", "x"), {"action": "discard", "ids": [7], "reason": "x"}),
        (("discard", "--all", "--reason", "x"), {"action": "discard", "all": True, "reason": "x"}),
    ],
)
def test_each_action_asks_for_what_was_named(data_dir: Path, arguments: tuple[str, ...], event: dict[str, Any]) -> None:
    answer_with(data_dir, "DEAD_LETTERS", {"discarded": 0, "data": [], "total": 0})
    asked = data_dir.parent / "asked.json"
    handler = data_dir.parent / "functions" / "manage_dead_letters" / "handler.py"
    handler.write_text(handler.read_text().replace("return", f"open({str(asked)!r}, 'w').write(json.dumps(event)); return"))
    done = run(data_dir, "dead-letters", *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(asked.read_text()) == event


@pytest.mark.parametrize(
    "arguments",
    [("show",), ("show", "1", "2"), ("discard", "--reason", "x"), ("discard", "1"), ("discard", "1", "--all", "--reason", "x")],
)
def test_what_does_not_say_which_or_why_is_bad_usage(data_dir: Path, arguments: tuple[str, ...]) -> None:
    assert run(data_dir, "dead-letters", *arguments).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("dead-letters", "list", "--limit", "-1"),
        ("export-audit", "--after", "-5"),
        ("logs", "--last", "-1"),
        ("simulate", "--seconds", "nan"),
        ("tail", "--after", "²"),
        ("verify-audit", "--from-seal", "x"),
    ],
)
def test_a_number_that_is_none_is_bad_usage(data_dir: Path, arguments: tuple[str, ...]) -> None:
    done = run(data_dir, *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr


def report(**members: object) -> dict[str, Any]:
    """What verify_audit answers."""
    head = {"seq": 7, "lastId": 70, "hash": "abc"}
    whole = {
        "seals": 4,
        "rows": 40,
        "unsealedRows": 3,
        "detached": [],
        "head": head,
        "remembered": True,
        "found": 0,
        "findings": [],
        "next": None,
    }
    return {**whole, **members}


def test_an_intact_audit_log_is_told_with_what_to_note_down(data_dir: Path) -> None:
    answer_with(data_dir, "REPORTS", {"1": report(next=5), "5": report()})
    done = run(data_dir, "verify-audit")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "seals: 8\nrows: 80, and 3 not sealed yet\nhead: 7:abc\nthe audit log is intact\n"


def test_a_month_in_a_file_alone_is_told_once(data_dir: Path) -> None:
    first = {"part": "2026-07", "firstSeal": 1, "lastSeal": 4, "rows": 9, "digest": "d1"}
    rest = {**first, "firstSeal": 5, "lastSeal": 6}
    answer_with(data_dir, "REPORTS", {"1": report(next=5, detached=[first]), "5": report(detached=[rest])})
    done = run(data_dir, "verify-audit")
    assert done.returncode == 0, done.stderr
    assert "seals 1 to 6: 9 rows are in the detached part 2026-07 (audit_log-2026-07.jsonl.gz, lines d1)" in done.stdout
    assert done.stdout.count("detached") == 1


def test_a_changed_audit_log_has_an_exit_code_of_its_own(data_dir: Path) -> None:
    finding = {"seal": 3, "firstId": 21, "lastId": 30, "problem": "covers rows that were changed"}
    answer_with(
        data_dir, "REPORTS", {"2 9:ab": report(found=1, findings=[finding], remembered=False, next=8), "8 9:ab": report()}
    )
    done = run(data_dir, "verify-audit", "--from-seal", "2", "--head", " 9:ab")
    assert done.returncode == 3, done.stderr
    assert "seal 3 (rows 21 to 30): covers rows that were changed\n" in done.stdout
    assert done.stdout.endswith("1 found\n")


def test_a_chain_whose_end_nobody_remembers_is_told(data_dir: Path) -> None:
    answer_with(data_dir, "REPORTS", {"1": report(remembered=False, head=None)})
    assert "cannot be told without --head" in run(data_dir, "verify-audit").stdout


def test_the_audit_log_is_exported_part_by_part(data_dir: Path, tmp_path: Path) -> None:
    parts = {
        "0": {"entries": [{"id": 1, "actor": "\u00e4"}, {"id": 2}], "after": 2},
        "2": {"entries": [{"id": 3}], "after": None},
    }
    answer_with(data_dir, "PARTS", {**parts, "2026-01-017": {"entries": [], "after": None}})
    printed = run(data_dir, "export-audit")
    assert [json.loads(line)["id"] for line in printed.stdout.splitlines()] == [1, 2, 3]
    file = tmp_path / "audit.jsonl"
    done = run(data_dir, "export-audit", "--output", str(file))
    assert (done.returncode, done.stdout) == (0, f"3 entries in {file}\n"), done.stderr
    assert file.read_text(encoding="utf-8") == printed.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    assert run(data_dir, "export-audit", "--from", "2026-01-01", "--after", "7").stdout == ""


def test_an_export_that_fails_leaves_no_file(data_dir: Path, tmp_path: Path) -> None:
    answer_with(data_dir, "PARTS", {"0": {"entries": [{"id": 1}], "after": 1}})
    done = run(data_dir, "export-audit", "--output", str(tmp_path / "audit.jsonl"))
    assert done.returncode == 1
    assert list(tmp_path.glob("*audit.jsonl*")) == []
    nowhere = run(data_dir, "export-audit", "--output", str(tmp_path / "nowhere" / "audit.jsonl"))
    assert nowhere.returncode == 2
    assert "cannot be written" in nowhere.stderr


def file_of_archive(path: Path, **members: object) -> str:
    about = {
        "kind": "score_history",
        "part": "2025-07",
        "firstId": 1,
        "lastId": 1,
        "recordedUntil": "2025-08-01T00:00:00.000Z",
        "rows": 0,
        "digest": hashlib.sha256().hexdigest(),
        "keyId": "k",
        "mac": "m",
        **members,
    }
    path.write_bytes(gzip.compress(json.dumps({"archive": about}).encode()))
    return str(path)


def test_every_file_of_the_archive_is_checked_whatever_is_wrong_with_those_before_it(data_dir: Path, tmp_path: Path) -> None:
    undated = file_of_archive(tmp_path / "undated", recordedUntil="soon")
    unsigned = file_of_archive(tmp_path / "unsigned", mac=None)
    failing = file_of_archive(tmp_path / "failing", part="2025-06")
    good = file_of_archive(tmp_path / "good")
    files = [undated, unsigned, failing, good]
    done = run(data_dir, "archive", "verify", *files)
    assert (done.returncode, [line.partition(": ")[0] for line in done.stdout.splitlines()]) == (1, files)
    assert "could not be checked: manage_archive: " in done.stdout
    assert done.stdout.endswith("0 rows, as exported; in the database: filed\n")
