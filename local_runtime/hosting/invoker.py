"""Loads the handlers the manifest names and calls them as Lambda does: JSON in, JSON out, in bounded time."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from local_runtime.hosting.deadline import Deadline, DeadlineExceeded
from local_runtime.hosting.manifest import Function, Manifest
from local_runtime.metrics import in_flight
from local_runtime.settings import ProvidedSettings
from shared.core.ids import new_request_id
from shared.core.metrics import invocation_seconds, invocations
from shared.core.metrics.instruments import Counter

logger = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
SMALL_BYTES = MAX_PAYLOAD_BYTES // 12  # whatever is escaped and however it is encoded
_TEXT = frozenset({str})
_UNKNOWN = MAX_PAYLOAD_BYTES + 1
Handler = Callable[[Any, "LambdaContext"], Any]


class FunctionError(Exception):
    """The handler raised, could not be loaded or answered what is not JSON; for logs, never for clients."""

    def __init__(self, error_type: str, error_message: str) -> None:
        super().__init__(f"{error_type}: {error_message}")
        self.error_type = error_type
        self.error_message = error_message

    @property
    def is_for_the_operator(self) -> bool:
        """Whether the message says what to change in the environment or the stores: no traceback would tell more."""
        return self.error_type in ("ConfigurationError", "ForeignStores", "KeysStillNeeded", "PartNotReady", "UnknownPart")


class FunctionTimedOut(Exception):
    """The handler took longer than the template allows."""


class PayloadTooLarge(Exception):
    """An event or an answer is over Lambda's 6 MB; `direction` is `request` or `response`."""

    def __init__(self, direction: str, size: int) -> None:
        super().__init__(f"{direction} payload of {size} bytes is over {MAX_PAYLOAD_BYTES}")
        self.direction = direction


class LambdaContext(msgspec.Struct, frozen=True):
    """The second argument of a handler."""

    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    ends_at: float
    function_version: str = "$LATEST"
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout."""
        return max(0, int((self.ends_at - time.monotonic()) * 1000))


class _Measures:
    """The instruments of one function and trigger, at hand: every request counts."""

    def __init__(self, function: str, trigger: str) -> None:
        self._kind = function, trigger
        self._ended: dict[str, Counter] = {}
        self.in_flight = in_flight.of(function, trigger)
        self.seconds = invocation_seconds.of(function, trigger)

    def ended(self, outcome: str) -> Counter:
        """The invocations that ended so."""
        return self._ended.get(outcome) or self._ended.setdefault(outcome, invocations.of(*self._kind, outcome))


class Invoker:
    """Calls functions by their manifest entry, and counts how that ended (`ok`, `error`, `timeout`); one per process."""

    def __init__(self, manifest: Manifest, deadline: Deadline) -> None:
        self._manifest = manifest
        self._deadline = deadline
        self._handlers: dict[str, Handler] = {}
        self._loading = threading.Lock()
        self._names: dict[str, tuple[str, str, str]] = {}
        self._measures: dict[tuple[str, str], _Measures] = {}

    def prepare(self) -> None:
        """Put the layers on the import path and the functions' variables into the environment, where not set already."""
        for layer in reversed(self._manifest.layers):
            if str(layer) not in sys.path:
                sys.path.insert(0, str(layer))
        for name, value in self._manifest.environment.items():
            os.environ.setdefault(name, value)

    def invoke(
        self, function: Function, event: object, request_id: str | None = None, *, trigger: str = "direct", is_plain: bool = False
    ) -> Any:
        """Answer what the handler answers, through JSON; so goes the event, unless it `is_plain`: made for this call alone, of
        what a way through JSON would not change, with no more than SMALL_BYTES that a client has sent.

        Raises FunctionError, FunctionTimedOut or PayloadTooLarge.
        """
        request_id = request_id or new_request_id()
        if not is_plain:
            event = _copy_event(event)
        started = time.monotonic()
        outcome, kind = "error", (function.name, trigger)
        measures = self._measures.get(kind) or self._measures.setdefault(kind, _Measures(*kind))
        measures.in_flight.value += 1
        try:
            handler = self._handlers.get(function.name) or self.load(function)
            context = self._context(function, request_id, started)
            result = self._deadline.run(lambda: _call(handler, event, context), function.timeout_seconds, function.name)
            result = _copy_result(result)
            outcome = "ok"
        except DeadlineExceeded:
            outcome = "timeout"
            raise FunctionTimedOut(f"{function.name} did not end within {function.timeout_seconds} s") from None
        finally:
            measures.in_flight.value -= 1
            measures.ended(outcome).value += 1
            measures.seconds.observe(time.monotonic() - started)
        return result

    def load(self, function: Function) -> Handler:
        """The function's handler, imported at the first call; raises FunctionError."""
        with self._loading:
            if function.name not in self._handlers:
                self._handlers[function.name] = _load_handler(function)
            return self._handlers[function.name]

    def _context(self, function: Function, request_id: str, started: float) -> LambdaContext:
        names = self._names.get(function.name)
        if names is None:
            names = self._names[function.name] = _names_of(function.name)
        arn, log_group, log_stream = names
        return LambdaContext(
            function.name, arn, function.memory_mb, request_id, log_group, log_stream, started + function.timeout_seconds
        )


def _load_handler(function: Function) -> Handler:
    module_name, _, attribute = function.handler.rpartition(".")
    path = function.directory.joinpath(*module_name.split("/")).with_suffix(".py")
    qualified_name = f"functions.{function.name}.{module_name.replace('/', '.')}"
    spec = importlib.util.spec_from_file_location(qualified_name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FunctionError("Runtime.ImportModuleError", f"no module {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[qualified_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[qualified_name]
        raise FunctionError("Runtime.ImportModuleError", f"{path}: {type(error).__name__}: {error}") from error
    handler = getattr(module, attribute, None)
    if not callable(handler):
        del sys.modules[qualified_name]
        raise FunctionError("Runtime.HandlerNotFound", f"{path} has no callable {attribute!r}")
    return handler  # type: ignore[no-any-return]


def _call(handler: Handler, event: object, context: LambdaContext) -> Any:
    try:
        return handler(event, context)
    except (Exception, SystemExit) as error:
        raise FunctionError(type(error).__name__, str(error)) from error


def _copy_event(event: object) -> object:
    encoded = msgspec.json.encode(event)
    if len(encoded) > MAX_PAYLOAD_BYTES:
        raise PayloadTooLarge("request", len(encoded))
    return msgspec.json.decode(encoded)


def _copy_result(result: object) -> Any:
    if _is_plain(result):
        return result
    # The standard encoder, for it refuses what Lambda's refuses (datetimes, bytes, UUIDs) where others are kinder.
    try:
        encoded = json.dumps(result, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise FunctionError("Runtime.MarshalError", str(error)) from error
    if len(encoded) > MAX_PAYLOAD_BYTES // 4 and len(encoded.encode(errors="surrogatepass")) > MAX_PAYLOAD_BYTES:
        raise PayloadTooLarge("response", len(encoded))
    return json.loads(encoded)


def _is_plain(value: object) -> bool:
    """Whether it is small, and a way through JSON would certainly change nothing."""
    try:
        return _plain_size(value) <= SMALL_BYTES
    except RecursionError:
        return False


def _plain_size(value: object) -> int:
    """About how many characters of JSON this is, more than there may be where that is not certain."""
    kind = type(value)
    if kind is str:
        return len(value)  # type: ignore[arg-type]
    if kind is int or kind is bool or value is None:
        return 1
    if kind is dict:
        members = value.values()  # type: ignore[attr-defined]
        if not _TEXT.issuperset(map(type, value)):  # type: ignore[call-overload]
            return _UNKNOWN
        size = sum(map(len, value))  # type: ignore[call-overload]
        return size + sum(map(len if _TEXT.issuperset(map(type, members)) else _plain_size, members))
    if kind is list:
        return sum(map(_plain_size, value))  # type: ignore[call-overload]
    return _UNKNOWN


def _names_of(function_name: str) -> tuple[str, str, str]:
    """The function's ARN, log group and log stream, the last of which is this process's."""
    region = ProvidedSettings.from_environment(os.environ).aws_region
    arn = f"arn:aws:lambda:{region}:000000000000:function:{function_name}"
    return arn, f"/aws/lambda/{function_name}", f"local/[$LATEST]{os.getpid()}"
