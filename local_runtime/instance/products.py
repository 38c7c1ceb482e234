"""The product's own processes: http, consumers, scheduler, and the run of what the template wants invoked at start."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from local_runtime.hosting.load import KEPT
from local_runtime.hosting.manifest import Manifest
from local_runtime.instance.directory import InstanceDirectory, consumer_name
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.listeners import Listeners
from local_runtime.instance.probes import Both, HttpProbe, QueuesOnDisk, ReadyFile
from local_runtime.instance.supervisor.loop import StartFailed, StopStage
from local_runtime.instance.supervisor.process import REFUSED, ProcessSpec
from local_runtime.logs.setup import LOG_FILE
from local_runtime.logs.text import parsed
from local_runtime.settings import PROJECT_ROOT, InstanceSettings

_START_MARGIN_SECONDS = 30.0
_READY_SECONDS = 20.0  # then it is started anew, and the operator told


def stop_stages(manifest: Manifest) -> tuple[StopStage, ...]:
    """In which order everything ends."""
    return (
        StopStage(("http",)),  # answers what is in flight
        StopStage((*_consumer_names(manifest), "scheduler"), least_seconds=2.0),  # settle what is in hand
        StopStage(("redis", "rabbitmq", "postgresql"), least_seconds=2.5),
    )


def at_start_spec(manifest: Manifest, directory: InstanceDirectory, environment: Mapping[str, str]) -> ProcessSpec | None:
    """The run that invokes what is to be invoked at start; None when nothing is."""
    functions = [function for function in manifest.functions if function.invoke_at_start]
    if not functions:
        return None
    limit_seconds = _START_MARGIN_SECONDS + sum(function.timeout_seconds for function in functions)
    return _spec(directory, environment, "at_start", lambda: True, ready_timeout_seconds=limit_seconds)


def refusal(failed: StartFailed) -> InstanceError | None:
    """What the run at start has to say to the operator, if that is why it failed."""
    lines = [line for text in failed.log_tail.splitlines() if (line := parsed(text)) is not None and REFUSED in line]
    return InstanceError(str(lines[-1]["message"])) if lines else None


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
    http = _spec(
        directory, {**environment, **inherited}, "http", probe, pass_fds=descriptors, ready_timeout_seconds=_READY_SECONDS
    )
    on_disk = QueuesOnDisk(directory.path / "rabbitmq", {binding.queue for binding in manifest.queue_bindings})
    names = [*_consumer_names(manifest), *(["scheduler"] if manifest.schedules else [])]
    probes = {name: Both(ReadyFile(directory.ready_file(name)), on_disk) for name in names}
    return (http, *(_spec(directory, environment, name, probes[name], ready_timeout_seconds=_READY_SECONDS) for name in names))


def _consumer_names(manifest: Manifest) -> list[str]:
    return [consumer_name(number) for number, _ in enumerate(manifest.consumers, 1)]


def _spec(
    directory: InstanceDirectory, environment: Mapping[str, str], name: str, probe: object, **options: object
) -> ProcessSpec:
    module, *number = name.split(".")
    log_file = directory.logs / f"{name}.log"
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", f"local_runtime.processes.{module}", *number),
        env={**environment, LOG_FILE: str(log_file), KEPT: str(directory.manifest_file)},
        cwd=PROJECT_ROOT,
        log_file=log_file,
        probe=probe,  # type: ignore[arg-type]
        **options,  # type: ignore[arg-type]
    )
