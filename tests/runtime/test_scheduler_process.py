"""`python -m local_runtime.processes.scheduler` as a process: it says when it is ready, and ends when it is told to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from local_runtime.settings import PROJECT_ROOT

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  WriteFile:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: write_file/
      Handler: handler.lambda_handler
      Runtime: python3.11
      Events:
"""
HANDLER = """\
import pathlib, time
def lambda_handler(event, context):
    path = pathlib.Path(__file__).parent / "written"
    path.with_suffix(".part").write_text(event["at"])
    path.with_suffix(".part").rename(path)
"""


LEASED = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  HoldLeases:
    Type: AWS::Serverless::Function
    Metadata: {LocalRuntime: {InvokeForLeases: true}}
    Properties: {CodeUri: hold_leases/, Handler: handler.lambda_handler, Runtime: python3.11}
  WriteFile:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: write_file/
      Handler: handler.lambda_handler
      Runtime: python3.11
      Events:
%s
  SealAll:
    Type: AWS::Serverless::Function
    Metadata: {LocalRuntime: {ScheduleOnEveryInstance: true}}
    Properties:
      CodeUri: seal_all/
      Handler: handler.lambda_handler
      Runtime: python3.11
      Events:
%s
"""
EVENT = """\
        In%s: {Type: ScheduleV2, Properties: {ScheduleExpression: "at(%s)", Input: '{"at": "<aws.scheduler.scheduled-time>"}'}}
"""


def events_in(*seconds: int) -> tuple[list[str], str]:
    """When they are due, and the events of a template: what is due before the process has started it leaves out."""
    times = [time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + each)) for each in seconds]
    return times, "".join(EVENT % each for each in zip(seconds, times, strict=True))


def start(directory: Path, template: Path) -> subprocess.Popen[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "SCOREBOARD_DATA_DIR": str(directory / "data"),
        "SCOREBOARD_TEMPLATE": str(template),
        "LOG_LEVEL": "DEBUG",
    }
    command = [sys.executable, "-m", "local_runtime.processes.scheduler"]
    return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def until_exists(path: Path, process: subprocess.Popen[str]) -> None:
    ends_at = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def test_the_process_runs_what_is_due_and_ends_when_told(tmp_path: Path) -> None:
    (tmp_path / "write_file").mkdir()
    (tmp_path / "write_file" / "handler.py").write_text(HANDLER)
    times, events = events_in(4, 8, 16, 32)
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE + events)
    process = start(tmp_path, template)
    try:
        until_exists(tmp_path / "data" / "run" / "scheduler.ready", process)
        until_exists(tmp_path / "write_file" / "written", process)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, log
    assert (tmp_path / "write_file" / "written").read_text().removesuffix("Z") in times
    assert re.search(r"schedule WriteFileIn\d+: write_file ok, attempt 1", log)


def test_a_template_that_cannot_be_hosted_ends_the_process_with_its_report(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE + EVENT % ("Time", "tomorrow"))
    process = start(tmp_path, template)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "cannot be hosted, 2 problems" in log
    assert "no directory write_file/" in log
    assert "at(tomorrow) is no local time" in log


def test_what_every_instance_runs_needs_no_lease(tmp_path: Path) -> None:
    nothing_held = "def lambda_handler(event, context):\n    return {'held': {}, 'others': {}, 'seconds': 8}\n"
    for name, handler in (("hold_leases", nothing_held), ("write_file", HANDLER), ("seal_all", HANDLER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "handler.py").write_text(handler)
    template = tmp_path / "template.yaml"
    template.write_text(LEASED % (events_in(3, 7, 15, 31)[1], events_in(5, 9, 17, 33)[1]))
    process = start(tmp_path, template)
    try:
        until_exists(tmp_path / "data" / "run" / "scheduler.ready", process)
        until_exists(tmp_path / "seal_all" / "written", process)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, log
    assert not (tmp_path / "write_file" / "written").exists(), "another instance has the lease"
