"""`python -m local_runtime.processes.scheduler` as a process: it says when it is ready, and ends when it is told to."""

from __future__ import annotations

import os
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
        Once: {Type: ScheduleV2, Properties: {ScheduleExpression: "at(%s)", Input: '{"at": "<aws.scheduler.scheduled-time>"}'}}
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
        Once: {Type: ScheduleV2, Properties: {ScheduleExpression: "at(%s)", Input: '{"at": "<aws.scheduler.scheduled-time>"}'}}
  SealAll:
    Type: AWS::Serverless::Function
    Metadata: {LocalRuntime: {ScheduleOnEveryInstance: true}}
    Properties:
      CodeUri: seal_all/
      Handler: handler.lambda_handler
      Runtime: python3.11
      Events:
        Once: {Type: ScheduleV2, Properties: {ScheduleExpression: "at(%s)", Input: '{"at": "<aws.scheduler.scheduled-time>"}'}}
"""


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
    ends_at = time.monotonic() + 30
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def test_the_process_runs_what_is_due_and_ends_when_told(tmp_path: Path) -> None:
    (tmp_path / "write_file").mkdir()
    (tmp_path / "write_file" / "handler.py").write_text(HANDLER)
    scheduled_at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 4))
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE % scheduled_at)
    process = start(tmp_path, template)
    try:
        until_exists(tmp_path / "data" / "run" / "scheduler.ready", process)
        until_exists(tmp_path / "write_file" / "written", process)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, log
    assert (tmp_path / "write_file" / "written").read_text() == f"{scheduled_at}Z"
    assert "schedule WriteFileOnce: write_file ok, attempt 1" in log


def test_a_template_that_cannot_be_hosted_ends_the_process_with_its_report(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE % "tomorrow")
    process = start(tmp_path, template)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "cannot be hosted, 2 problems" in log
    assert "no directory write_file/" in log
    assert "at(tomorrow) is no local time" in log


def test_what_every_instance_runs_needs_no_lease(tmp_path: Path) -> None:
    nothing_held = "def lambda_handler(event, context):\n    return {'held': {}, 'others': {}, 'seconds': 8}\n"
    for name, handler in (("hold_leases", nothing_held), ("write_file", HANDLER), ("seal_all", HANDLER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "handler.py").write_text(handler)
    early, late = (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + seconds)) for seconds in (3, 5))
    template = tmp_path / "template.yaml"
    template.write_text(LEASED % (early, late))
    process = start(tmp_path, template)
    try:
        until_exists(tmp_path / "data" / "run" / "scheduler.ready", process)
        until_exists(tmp_path / "seal_all" / "written", process)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, log
    assert not (tmp_path / "write_file" / "written").exists(), "another instance has the lease"
