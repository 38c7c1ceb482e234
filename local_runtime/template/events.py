"""The events of functions, each read by the module of its kind and gathered for the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field

from local_runtime.manifest import Function, HttpRoute, QueueBinding, Schedule
from local_runtime.template.fields import Fields, Reading
from local_runtime.template.http_api import check_routes, read_http_event
from local_runtime.template.queues import check_queues, read_queue_event
from local_runtime.template.schedules import check_schedules, read_schedule_event, read_schedule_v2_event
from local_runtime.template.tree import Node

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
