"""All functions of a deployment: an environment for each event under way, kept for the next one, never shared."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from local_runtime.hosting.invoker import FunctionError, FunctionTimedOut, PayloadTooLarge
from local_runtime.hosting.manifest import Function
from tests.lambda_runtime.environment import ExecutionEnvironment
from tests.lambda_runtime.packages import Packages

Variables = Mapping[str, Mapping[str, str]]


class Functions:
    """`variables` are each function's own, by its name."""

    def __init__(self, packages: Packages, variables: Variables) -> None:
        self._packages = packages
        self._variables = variables
        self._idle: dict[str, list[ExecutionEnvironment]] = defaultdict(list)
        self._busy: set[ExecutionEnvironment] = set()
        self._lock = threading.Lock()
        self.started = 0

    def invoke(self, function: Function, event: object, request_id: str | None = None, *, trigger: str = "direct") -> Any:
        """In the environment used last that has nothing to do, or in a new one; raises what an environment raises."""
        del trigger
        environment = self._take(function)
        try:
            return environment.invoke(event, request_id)
        except (FunctionError, FunctionTimedOut, PayloadTooLarge) as error:
            error.add_note(environment.log)
            raise
        finally:
            self._give_back(function, environment)

    def variables(self, name: str) -> Mapping[str, str]:
        """A function's own."""
        return self._variables[name]

    def idle(self, name: str) -> list[ExecutionEnvironment]:
        """The environments of a function that wait for an event."""
        with self._lock:
            return list(self._idle[name])

    def recycle(self, name: str) -> None:
        """Take the environments of a function away that have nothing to do, as Lambda does whenever it likes."""
        with self._lock:
            environments = self._idle.pop(name, [])
        for environment in environments:
            environment.end()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            environments = [*self._busy, *(each for idle in self._idle.values() for each in idle)]
            self._idle.clear()
        for environment in environments:
            environment.end()

    def _take(self, function: Function) -> ExecutionEnvironment:
        with self._lock:
            idle = self._idle[function.name]
            if idle:
                environment = idle.pop()
            else:
                environment = ExecutionEnvironment(function, self._packages, self._variables[function.name])
                self.started += 1
            self._busy.add(environment)
        return environment

    def _give_back(self, function: Function, environment: ExecutionEnvironment) -> None:
        with self._lock:
            self._busy.discard(environment)
            if environment.is_usable:
                self._idle[function.name].append(environment)
                return
        environment.end()
