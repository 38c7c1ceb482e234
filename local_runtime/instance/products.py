"""The product's own processes: http, consumer, scheduler, and the run of what the template wants invoked at start."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.listeners import Listeners
from local_runtime.instance.probes import Both, HttpProbe, QueuesOnDisk, ReadyFile
from local_runtime.manifest import Manifest
from local_runtime.process import ProcessSpec
from local_runtime.settings import PROJECT_ROOT, InstanceSettings
from local_runtime.supervisor.loop import StopStage

STOP_STAGES = (
    StopStage(("http",)),  # answers what is in flight
    StopStage(("consumer", "scheduler"), least_seconds=2.0),  # settle what is in hand
    StopStage(("redis", "rabbitmq", "postgresql"), least_seconds=2.5),
)
_START_MARGIN_SECONDS = 30.0


def at_start_spec(manifest: Manifest, directory: InstanceDirectory, environment: Mapping[str, str]) -> ProcessSpec | None:
    """The run that invokes what is to be invoked at start; None when nothing is."""
    functions = [function for function in manifest.functions if function.invoke_at_start]
    if not functions:
        return None
    limit_seconds = _START_MARGIN_SECONDS + sum(function.timeout_seconds for function in functions)
    return _spec(directory, environment, "at_start", lambda: True, ready_timeout_seconds=limit_seconds)


def product_specs(
    settings: InstanceSettings,
    manifest: Manifest,
    directory: InstanceDirectory,
    listeners: Listeners,
    environment: Mapping[str, str],
) -> tuple[ProcessSpec, ...]:
    """The processes that serve once the servers do; none that would have nothing to do."""
    descriptors = (listeners.public.fileno(), listeners.management.fileno())
    inherited = {"SCOREBOARD_LISTEN_FD": str(descriptors[0]), "SCOREBOARD_MANAGEMENT_FD": str(descriptors[1])}
    probe = HttpProbe(listeners.local_host, listeners.port, tls=settings.tls)
    http = _spec(directory, {**environment, **inherited}, "http", probe, pass_fds=descriptors)
    work = {"consumer": manifest.queue_bindings, "scheduler": manifest.schedules}
    on_disk = QueuesOnDisk(directory.path / "rabbitmq", {binding.queue for binding in manifest.queue_bindings})
    probes = {name: ReadyFile(directory.ready_file(name)) for name in work}
    workers = [_spec(directory, environment, name, Both(probes[name], on_disk)) for name in work if work[name]]
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
