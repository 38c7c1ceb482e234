"""What the template asks to be hosted, resolved and frozen: the only thing the rest of the runtime knows of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Function:
    """One deployable function: a directory with a handler in it.

    `environment` holds the variables the template gives it, resolved; the instance's own (URLs, keys) come on top.
    """

    logical_id: str
    name: str
    directory: Path
    handler: str
    timeout_seconds: int
    memory_mb: int
    environment: Mapping[str, str] = field(repr=False)
    invoke_at_start: bool = False
    invoke_on_scrape: bool = False
    invoke_when_queue_missing: bool = False
    invoke_for_leases: bool = False
    schedule_on_every_instance: bool = False
    serve_on_every_instance: bool = False


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """A route of the HTTP API; `path` in API Gateway's form, e.g. `/api/score/{user_id}`; `method` may be `ANY`."""

    function: Function
    method: str
    path: str

    @property
    def key(self) -> str:
        """The route key of API Gateway: `POST /api/score/{user_id}`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Cors:
    """Whose web pages may use the HTTP API and the WebSocket besides our own; nobody's unless the template says so."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed_headers: tuple[str, ...] = ()
    max_age_seconds: int = 0


@dataclass(frozen=True, slots=True)
class QueueBinding:
    """An Amazon MQ (RabbitMQ) event source: one consumer, one batch at a time."""

    function: Function
    queue: str
    virtual_host: str
    batch_size: int
    batching_window_seconds: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """An EventBridge schedule. `input` is the whole event of a ScheduleV2; None makes the classic scheduled event.

    `maximum_retry_attempts` and `maximum_event_age_seconds` are the template's RetryPolicy.
    """

    function: Function
    name: str
    expression: str
    time_zone: str
    input: Any | None
    maximum_retry_attempts: int
    maximum_event_age_seconds: int


@dataclass(frozen=True, slots=True)
class WebSocketRoute:
    """A route of the WebSocket API: `$connect`, `$disconnect`, `$default` or a value of the selection expression."""

    function: Function
    route_key: str


@dataclass(frozen=True, slots=True)
class WebSocketApi:
    """The WebSocket API: its stage, how a message chooses its route (e.g. `$request.body.action`), its routes."""

    stage: str
    route_selection_expression: str
    routes: tuple[WebSocketRoute, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is hosted. `layers` are directories whose content stands on the functions' import path."""

    functions: tuple[Function, ...]
    layers: tuple[Path, ...]
    http_routes: tuple[HttpRoute, ...]
    queue_bindings: tuple[QueueBinding, ...]
    schedules: tuple[Schedule, ...]
    websocket_api: WebSocketApi | None
    cors: Cors = Cors()

    def for_roles(self, roles: Collection[str]) -> Manifest:
        """What an instance that has these roles hosts: every function, and of what invokes them its share."""
        serves = "http" in roles
        return replace(
            self,
            http_routes=tuple(route for route in self.http_routes if serves or route.function.serve_on_every_instance),
            websocket_api=self.websocket_api if serves else None,
            queue_bindings=self.queue_bindings if "consumer" in roles else (),
            schedules=tuple(one for one in self.schedules if "scheduler" in roles or one.function.schedule_on_every_instance),
        )

    @property
    def environment(self) -> dict[str, str]:
        """The union of all functions' variables: one process hosts many functions, and the reader saw to it that they agree."""
        return {name: value for function in self.functions for name, value in function.environment.items()}

    @property
    def consumers(self) -> tuple[tuple[QueueBinding, ...], ...]:
        """The bindings by the process that hosts them: a function's first queue is the first one's, its second the second one's.

        As on Lambda, where each of them has an environment of its own, more queues are more work done at a time.
        """
        consumers: list[list[QueueBinding]] = []
        for binding in self.queue_bindings:
            own = next((each for each in consumers if binding.function not in [other.function for other in each]), None)
            if own is None:
                consumers.append(own := [])
            own.append(binding)
        return tuple(map(tuple, consumers))

    def function(self, name: str) -> Function:
        """Look a function up by its directory name or its logical id; KeyError names those there are."""
        for function in self.functions:
            if name in (function.name, function.logical_id):
                return function
        raise KeyError(f"no function {name!r}; there are: {', '.join(sorted(f.name for f in self.functions))}")

    def start_event(self, function: Function) -> object:
        """For a function invoked by itself: the input of its schedule where it has one, else an empty object."""
        inputs = [s.input for s in self.schedules if s.function.name == function.name and s.input is not None]
        return inputs[0] if inputs else {}
