"""How a verb finds the instance that runs on a data directory, and calls its functions."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_runtime.cli.errors import EXIT_FAILED, EXIT_USAGE, CliError
from local_runtime.settings import SERVER_URLS, InstanceSettings

if TYPE_CHECKING:
    from local_runtime.hosting.manifest import Function

logger = logging.getLogger(__name__)
_BAD_USAGE = "InvalidParameter"  # whose message says what to write
# What an operator does about an error whose own words are for programs.
_TOLD = {"UnknownBoard": "there is no board with this id: `scoreboard boards list` shows them"}


class Moved(CliError):
    """The instance came back with its servers elsewhere, where this process cannot follow."""


class FunctionFailed(CliError):
    """A function failed with an error of its own: `error_type` is its class's name."""

    def __init__(self, message: str, error_type: str) -> None:
        super().__init__(message, EXIT_FAILED)
        self.error_type = error_type


class LastingFunction:
    """A function for a verb that stays while instances end and start again on its data directory."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self._data_dir = data_dir
        self._name = name
        self._call: Callable[[object], Any] | None = None
        self._servers: list[str] = []

    def __call__(self, event: object) -> Any:
        """Its answer; CliError when it fails or no instance is ready, Moved when one is that it cannot reach."""
        environment = running_instance(self._data_dir)["function_env"]
        servers = [environment.get(name, "") for name in SERVER_URLS]
        if self._call is None:
            self._call, self._servers = function_of(self._data_dir, self._name), servers
        elif servers != self._servers:
            raise Moved("the instance has started again with its servers on other ports: start this once more", EXIT_FAILED)
        return self._call(event)


def running_instance(data_dir: Path) -> dict[str, Any]:
    """The content of runtime.json; CliError when nothing runs there."""
    from local_runtime.instance.directory import InstanceDirectory

    directory = InstanceDirectory(data_dir.resolve())
    try:
        holder = directory.holder()
        runtime = directory.read_runtime() if holder is not None else None
    except PermissionError as error:
        raise not_ours(error) from None
    if holder is not None and runtime is None:
        raise CliError(
            f"the instance with pid {holder or 'unknown'} on {directory.path} is just starting or ending: try again in a moment",
            EXIT_USAGE,
        )
    if runtime is None:
        raise CliError(
            f"no instance is ready on {directory.path}: start one with `scoreboard serve`, or name its data "
            "directory with --data-dir",
            EXIT_USAGE,
        )
    return runtime


def not_ours(error: PermissionError) -> CliError:
    """What is said where the files of an instance are another user's."""
    return CliError(f"{error.filename} may not be read by you: run this as the user who runs the instance", EXIT_USAGE)


def invoke_function(data_dir: Path, name: str, event: object, **environment: str) -> Any:
    """Run a function once; see function_of."""
    return function_of(data_dir, name, **environment)(event)


def function_of(data_dir: Path, name: str, **environment: str) -> Callable[[object], Any]:
    """A function that runs in this process, with the environment of the running instance; CliError when it fails.

    `environment` beats that of the instance.
    """
    functions = HostedFunctions(data_dir, name, **environment)
    return partial(functions.call, functions.named(name).name)


class HostedFunctions:
    """All functions of the running instance, likewise; `reason` is the name of whom the log's lines are from."""

    def __init__(self, data_dir: Path, reason: str, **environment: str) -> None:
        from local_runtime.hosting.deadline import ProcessDeadline
        from local_runtime.hosting.invoker import Invoker
        from local_runtime.hosting.load import load_manifest
        from local_runtime.instance.directory import InstanceDirectory
        from local_runtime.logs.options import LogOptions
        from local_runtime.logs.setup import configure_logs
        from local_runtime.metrics import read
        from shared.core.metrics.processes import ProcessMetrics

        level = LogOptions.from_environment(os.environ).level if os.environ.get("LOG_LEVEL") else "WARNING"
        configure_logs(reason, os.environ, level=level)
        os.environ.update(running_instance(data_dir)["function_env"], LOG_LEVEL=level, **environment)
        self._metrics = ProcessMetrics(InstanceDirectory(data_dir.resolve()).metrics, read)  # the instance counts what is done
        self.manifest = load_manifest(InstanceSettings.from_environment(), os.environ)
        self._invoker = Invoker(self.manifest, ProcessDeadline())
        self._invoker.prepare()

    def named(self, name: str) -> Function:
        """By its directory's name or its logical id; CliError names those there are."""
        try:
            return self.manifest.function(name)
        except KeyError as error:
            raise CliError(str(error.args[0]), EXIT_USAGE) from None

    def call(self, name: str, event: object) -> Any:
        """What the function answers; CliError when it fails."""
        from local_runtime.hosting.invoker import FunctionError, PayloadTooLarge

        try:
            return self._invoker.invoke(self.named(name), event)
        except (FunctionError, PayloadTooLarge) as error:
            logger.debug("%s failed", name, exc_info=error.__cause__)
            if isinstance(error, FunctionError) and error.error_type == _BAD_USAGE:
                raise CliError(error.error_message, EXIT_USAGE) from None
            if isinstance(error, FunctionError) and error.is_for_the_operator:
                raise FunctionFailed(error.error_message, error.error_type) from None
            if isinstance(error, FunctionError):
                told = _TOLD.get(error.error_type)
                raise FunctionFailed(told or f"{name}: {error}", error.error_type) from None
            raise CliError(f"{name}: {error}", EXIT_FAILED) from None
        finally:
            self._metrics.flush()
