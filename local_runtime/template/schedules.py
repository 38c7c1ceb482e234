"""ScheduleV2 and Schedule events: when a function runs by itself, with what, and how often it is tried again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from local_runtime.manifest import Function, Schedule
from local_runtime.schedule import DEFAULT_INPUT, InvalidSchedule, parse_schedule
from local_runtime.template.fields import Fields, Reading
from local_runtime.template.tree import Node

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def read_schedule_v2_event(fields: Fields, event: Node, function: Function, reading: Reading) -> Schedule | None:
    """A schedule of EventBridge Scheduler: any time zone, and an event that is exactly its Input."""
    time_zone = fields.text("ScheduleExpressionTimezone") or "UTC"
    expression = _expression(fields, "ScheduleExpression", time_zone, reading)
    window = fields.fields("FlexibleTimeWindow", "flexible time window")
    if window is not None:
        window.only("Mode", ("OFF",), "OFF")
        window.finish()
    fields.only("State", ("ENABLED",), "ENABLED")
    fields.without_effect(("GroupName", "KmsKeyArn", "OmitName", "PermissionsBoundary", "RoleArn"))
    given = _input(fields, reading)
    return _schedule(fields, event, function, expression, time_zone, DEFAULT_INPUT if given is None else given)


def read_schedule_event(fields: Fields, event: Node, function: Function, reading: Reading) -> Schedule | None:
    """A rule of EventBridge: UTC only; without Input the event is the classic scheduled event."""
    expression = _expression(fields, "Schedule", "UTC", reading)
    if expression is not None and expression.startswith("at("):
        reading.report.add(event, "at() is for ScheduleV2 only", "rate(), cron()")
    fields.only("Enabled", ("true",), "true")
    fields.only("State", ("ENABLED",), "ENABLED")
    return _schedule(fields, event, function, expression, "UTC", _input(fields, reading))


def _schedule(
    fields: Fields, event: Node, function: Function, expression: str | None, time_zone: str, event_input: Any
) -> Schedule | None:
    name = fields.text("Name") or f"{function.logical_id}{event.path[-1]}"
    attempts, age_seconds = _retry_policy(fields)
    fields.without_effect(("DeadLetterConfig", "Description"))
    fields.finish()
    if expression is None:
        return None
    return Schedule(function, name, expression, time_zone, event_input, attempts, age_seconds)


def _expression(fields: Fields, name: str, time_zone: str, reading: Reading) -> str | None:
    expression = fields.text(name, required=True)
    if expression is None:
        return None
    node = fields.node(name)
    try:
        parsed = parse_schedule(expression, time_zone)
    except InvalidSchedule as error:
        if node is not None:
            reading.report.add(node, str(error), error.supported)
        return None
    if parsed.next_after(_BEGINNING) is None and node is not None:
        reading.report.add(node, f"{expression} never comes")
    return expression


def _input(fields: Fields, reading: Reading) -> Any:
    node = fields.node("Input")
    text = None if node is None else reading.value(node)
    if node is None or text is None:
        return None
    try:
        return json.loads(text) if isinstance(text, str) else _not_json(node, reading)
    except ValueError:
        return _not_json(node, reading)


def _not_json(node: Node, reading: Reading) -> None:
    if not reading.report.mentions(node):
        reading.report.add(node, "is no text with JSON in it", """e.g. '{"dryRun": false}'""")


def _retry_policy(fields: Fields) -> tuple[int, int]:
    policy = fields.fields("RetryPolicy", "retry policy")
    if policy is None:
        return 185, 86400
    attempts = policy.integer("MaximumRetryAttempts", 0, 185, default=185)
    age_seconds = policy.integer("MaximumEventAgeInSeconds", 60, 86400, default=86400)
    policy.finish()
    return attempts, age_seconds


def check_schedules(schedules: Sequence[tuple[Schedule, Node]], reading: Reading) -> None:
    """Names of schedules are unique."""
    seen: dict[str, Schedule] = {}
    for schedule, event in schedules:
        first = seen.setdefault(schedule.name, schedule)
        if first is not schedule:
            reading.report.add(event, f"the schedule {schedule.name} is already {first.function.logical_id}'s")
