"""The product's own processes: http, consumer, scheduler, and the run of what the template wants invoked at start."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.listeners import Listeners
from local_runtime.instance.probes import HttpProbe, ReadyFile
from local_runtime.manifest import Manifest
from local_runtime.process import ProcessSpec
from local_runtime.settings import PROJECT_ROOT, InstanceSettings

# The supervisor stops all within 9 s: what http and then the others do not need is left to the servers, at least 3 s.
HTTP_STOP_SECONDS = 3.5
WORKER_STOP_SECONDS = 2.5
STOP_STAGES = (("http",), ("consumer", "scheduler"), ("redis", "rabbitmq", "postgresql"))
_START_MARGIN_SECONDS = 30.0


def at_start_spec(manifest: Manifest, directory: InstanceDirectory, environment: Mapping[str, str]) -> ProcessSpec | None:
    """The run that invokes what is to be invoked at start; None when nothing is."""
    functions = [function for function in manifest.functions if function.invoke_at_start]
    if not functions:
        return None
    limit_seconds = _START_MARGIN_SECONDS + sum(function.timeout_seconds for function in functions)
    return _spec(directory, environment, "at_start", lambda: True, ready_timeout_seconds=limit_seconds)


def product_specs(
    settings: InstanceSettings, directory: InstanceDirectory, listeners: Listeners, environment: Mapping[str, str]
) -> tuple[ProcessSpec, ...]:
    """The processes that serve once the servers do."""
    descriptors = (listeners.public.fileno(), listeners.management.fileno())
    inherited = {"SCOREBOARD_LISTEN_FD": str(descriptors[0]), "SCOREBOARD_MANAGEMENT_FD": str(descriptors[1])}
    http = _spec(
        directory,
        {**environment, **inherited},
        "http",
        HttpProbe(listeners.local_host, listeners.port, tls=settings.tls),
        pass_fds=descriptors,
        stop_timeout_seconds=HTTP_STOP_SECONDS,
    )
    workers = [
        _spec(directory, environment, name, ReadyFile(directory.ready_file(name)), stop_timeout_seconds=WORKER_STOP_SECONDS)
        for name in ("consumer", "scheduler")
    ]
    return (http, *workers)


def _spec(
    directory: InstanceDirectory, environment: Mapping[str, str], name: str, probe: object, **options: object
) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", f"local_runtime.{name}"),
        env=environment,
        cwd=PROJECT_ROOT,
        log_file=directory.logs / f"{name}.log",
        probe=probe,  # type: ignore[arg-type]
        **options,  # type: ignore[arg-type]
    )
