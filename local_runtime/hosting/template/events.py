"""The events of functions, gathered for the manifest: routes, queues, schedules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local_runtime.hosting.manifest import Function, HttpRoute, QueueBinding, Schedule
from local_runtime.hosting.schedule import DEFAULT_INPUT, InvalidSchedule, parse_schedule
from local_runtime.hosting.template.apis import check_routes, read_http_event
from local_runtime.hosting.template.fields import Fields, Reading
from local_runtime.hosting.template.tree import Node

# What Lambda waits for a batch to fill when nothing is said.
DEFAULT_WINDOW_SECONDS = 0.5
_MAX_BATCH = 10_000
_MAX_WINDOW_SECONDS = 300
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def read_queue_event(fields: Fields, event: Node, function: Function, reading: Reading) -> QueueBinding | None:
    """A queue with its batch size and window; None where it is not enabled.

    Where the broker is and how to log in is the instance's business here.
    """
    queue = _queue(fields, reading)
    if fields.node("Broker", required=True) is None:
        return None
    virtual_host = _access(fields, event, reading)
    batch_size = fields.integer("BatchSize", 1, _MAX_BATCH, default=100)
    window = fields.integer("MaximumBatchingWindowInSeconds", 0, _MAX_WINDOW_SECONDS, default=-1)
    enabled = fields.only("Enabled", ("true", "false"), "true") == "true"
    fields.without_effect(("DynamicPolicyName", "KmsKeyArn", "SecretsManagerKmsKeyId"))
    fields.finish()
    if queue is None or not enabled:
        return None
    return QueueBinding(function, queue, virtual_host, batch_size, DEFAULT_WINDOW_SECONDS if window < 0 else float(window))


def _queue(fields: Fields, reading: Reading) -> str | None:
    node = fields.node("Queues", required=True)
    queues = None if node is None else reading.value(node)
    if node is None or queues is None:
        return None
    if not isinstance(queues, list) or len(queues) != 1 or not isinstance(queues[0], str) or not queues[0]:
        reading.report.add(node, "a mapping consumes exactly one queue", "a list of one name")
        return None
    return queues[0]


def _access(fields: Fields, event: Node, reading: Reading) -> str:
    """The virtual host; the login, which must be there, is used in the cloud only."""
    virtual_host, has_login = "/", False
    configurations = fields.node("SourceAccessConfigurations", required=True)
    for item in configurations.items if configurations else ():
        entry = Fields(item, reading, "source access configuration")
        kind = entry.only("Type", ("BASIC_AUTH", "VIRTUAL_HOST"), "")
        uri = entry.node("URI", required=True)
        entry.finish()
        has_login = has_login or kind == "BASIC_AUTH"
        if kind == "VIRTUAL_HOST" and uri is not None:
            virtual_host = str(reading.value(uri) or "/")
    if configurations is not None and not has_login:
        reading.report.add(event, "SourceAccessConfigurations has no BASIC_AUTH", "BASIC_AUTH with the ARN of a secret")
    return virtual_host


def check_queues(bindings: Sequence[tuple[QueueBinding, Node]], reading: Reading) -> None:
    """Two consumers of one queue would each get half of it."""
    seen: dict[tuple[str, str], QueueBinding] = {}
    for binding, event in bindings:
        first = seen.setdefault((binding.virtual_host, binding.queue), binding)
        if first is not binding:
            reading.report.add(event, f"the queue {binding.queue} is already consumed by {first.function.logical_id}")


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


_READERS = {
    "HttpApi": read_http_event,
    "MQ": read_queue_event,
    "ScheduleV2": read_schedule_v2_event,
    "Schedule": read_schedule_event,
}


@dataclass(frozen=True, slots=True)
class Triggers:
    """What was found, each with the node of its event."""

    routes: list[tuple[HttpRoute, Node]] = field(default_factory=list)
    queues: list[tuple[QueueBinding, Node]] = field(default_factory=list)
    schedules: list[tuple[Schedule, Node]] = field(default_factory=list)

    def read(self, function: Function, events: Node | None, reading: Reading) -> None:
        """Add the events of a function."""
        for event in events.members.values() if events else ():
            self._read_one(function, event, reading)

    def _read_one(self, function: Function, event: Node, reading: Reading) -> None:
        outer = Fields(event, reading, "event")
        kind = outer.text("Type", required=True)
        outer.without_effect(("Properties",))
        outer.finish()
        if kind is None:
            return
        if kind not in _READERS:
            reading.report.add(event, f"the event type {kind!r} is not supported", ", ".join(_READERS))
            return
        properties = event.members.get("Properties", Node({}, (*event.path, "Properties"), event.line))
        found = _READERS[kind](Fields(properties, reading, f"{kind} event"), event, function, reading)
        if isinstance(found, HttpRoute):
            self.routes.append((found, event))
        elif isinstance(found, QueueBinding):
            self.queues.append((found, event))
        elif isinstance(found, Schedule):
            self.schedules.append((found, event))

    def check(self, reading: Reading) -> None:
        """What events must not have in common."""
        check_routes(self.routes, reading)
        check_queues(self.queues, reading)
        check_schedules(self.schedules, reading)

    @property
    def ordered_routes(self) -> tuple[HttpRoute, ...]:
        """Routes for ANY method last, so that one for a single method is found before."""
        return tuple(sorted((route for route, _ in self.routes), key=lambda route: route.method == "ANY"))
