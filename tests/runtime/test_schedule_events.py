"""The events schedules deliver, against real payloads."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

from local_runtime.hosting.events.sample import SAMPLES
from local_runtime.hosting.manifest import Function, Schedule
from local_runtime.hosting.schedule import DEFAULT_INPUT, build_event
from local_runtime.hosting.schedule.events import Attempt

EVENTS = SAMPLES
FUNCTION = Function("Reconcile", "reconcile", Path(), "handler.lambda_handler", 3, 128, {})
SCHEDULE = Schedule(FUNCTION, "reconcile", "rate(1 day)", "UTC", None, 0, 60)
ATTEMPT = Attempt(datetime(2026, 11, 23, 12, tzinfo=UTC), 1, "d32c5kddcf5bb8c3")


def real(name: str) -> dict[str, object]:
    payload: dict[str, object] = json.loads((EVENTS / name).read_text())
    return payload


def test_a_schedule_delivers_its_input_with_the_context_filled_in() -> None:
    event_input = {
        "job": "reconcile",
        "scheduled_time": "<aws.scheduler.scheduled-time>",
        "execution_id": "<aws.scheduler.execution-id>",
        "attempt": "<aws.scheduler.attempt-number>",
    }
    event = build_event(dataclasses.replace(SCHEDULE, input=event_input), ATTEMPT, "eu-west-1")
    assert event == real("schedule_v2_input_event.json")


def test_the_context_is_filled_in_wherever_it_stands() -> None:
    event_input = {
        "deep": [{"<aws.scheduler.attempt-number>": "arn is <aws.scheduler.schedule-arn>!"}],
        "other": "<aws.scheduler.x>",
    }
    event = build_event(dataclasses.replace(SCHEDULE, input=event_input), ATTEMPT, "eu-west-1")
    arn = "arn:aws:scheduler:eu-west-1:000000000000:schedule/default/reconcile"
    assert event == {"deep": [{"1": f"arn is {arn}!"}], "other": "<aws.scheduler.x>"}


def test_an_input_need_not_be_an_object() -> None:
    assert build_event(dataclasses.replace(SCHEDULE, input=0), ATTEMPT, "eu-west-1") == 0


def test_a_rule_without_input_delivers_the_classic_event() -> None:
    event = build_event(SCHEDULE, ATTEMPT, "eu-west-1")
    expected = real("schedule_rule_event.json")
    assert event.keys() == expected.keys()
    same = ("version", "detail-type", "source", "time", "region", "detail")
    assert {name: event[name] for name in same} == {name: expected[name] for name in same}
    assert event["resources"] == ["arn:aws:events:eu-west-1:000000000000:rule/reconcile"]


def test_a_schedule_without_input_delivers_schedulers_own_event() -> None:
    event = build_event(dataclasses.replace(SCHEDULE, input=DEFAULT_INPUT), ATTEMPT, "eu-west-1")
    assert (event["source"], event["detail"], event["time"]) == ("aws.scheduler", "{}", "2026-11-23T12:00:00Z")
    assert event["id"] == "d32c5kddcf5bb8c3"
