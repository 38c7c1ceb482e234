"""The HTTP process: binds or inherits its sockets and runs gunicorn, embedded, with the gateway's workers."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from local_runtime.gateway.http.log import GunicornLog
from local_runtime.gateway.http.loop import HOOK as LOOP_HOOK
from local_runtime.gateway.http.offload import HOOK as OFFLOAD_HOOK
from local_runtime.gateway.http.options import HttpOptions
from local_runtime.gateway.site import Site, SitePlan
from local_runtime.gateway.worker import HANDLED, GatewayWorker, hijack
from local_runtime.hosting.deadline import GeventDeadline
from local_runtime.hosting.invoker import FunctionError, Invoker
from local_runtime.hosting.load import kept_manifest
from local_runtime.hosting.manifest import Function, Manifest
from local_runtime.instance.descriptors import allow_most
from local_runtime.logs.setup import configure_logs, log_file
from local_runtime.settings import InstanceSettings, SettingsError

logger = logging.getLogger(__name__)

EXIT_CONFIGURATION = 2
GRACEFUL_SECONDS = 4
_BACKLOG = 2048
_YOUNG_OBJECTS = 20_000
_LONGEST_SOCKET_PATH = 100


class GatewayArbiter(Arbiter):  # type: ignore[misc]
    """Ctrl-C ends it as gently as SIGTERM does."""

    handle_int = Arbiter.handle_term
    handle_quit = Arbiter.handle_term

    def murder_workers(self) -> None:
        """Called once a second."""
        super().murder_workers()
        file = log_file(os.environ)
        if file is not None:
            file.tend()


class GatewayApplication(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured in code; every worker makes its own Site."""

    def __init__(self, plan: SitePlan, options: Mapping[str, object]) -> None:
        self._plan = plan
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Site:
        """Called by gunicorn, in the worker."""
        return Site(self._plan, hijack, HANDLED)

    def run(self) -> None:
        """Serve until SIGTERM; ends with SystemExit."""
        GatewayArbiter(self).run()


def main(environment: Mapping[str, str] | None = None) -> int:
    """Run the HTTP process; answers the exit code where it cannot start."""
    environment = os.environ if environment is None else environment
    configure_logs("http", environment)
    try:
        settings = InstanceSettings.from_environment(environment)
        options = HttpOptions.from_environment(environment, settings)
        manifest = kept_manifest(settings, environment)
    except (SettingsError, ValueError) as error:
        logger.error("%s", error)  # noqa: TRY400 - the message is written for the reader, the traceback is not
        return EXIT_CONFIGURATION
    with contextlib.ExitStack() as stack:
        serve(settings, options, manifest, _run_directory(settings.data_dir, stack))
    return 0


def serve(settings: InstanceSettings, options: HttpOptions, manifest: Manifest, run_directory: Path) -> None:
    """Serve a manifest until SIGTERM; ends with SystemExit."""
    allow_most()
    os.environ["METRICS_NAMESPACE"] = ""  # the workers collect what the functions measure
    public = _listener(options.listen_fd, settings.host, settings.port)
    management = _listener(options.management_fd, "127.0.0.1", 0)
    plan = SitePlan(manifest, settings, options, run_directory, management.getsockname()[1])
    _import_handlers(manifest)
    _spare_the_collector()
    _announce(plan, public)
    listeners = [public.detach(), management.detach()]
    GatewayApplication(plan, _gunicorn_options(plan, listeners)).run()


def _import_handlers(manifest: Manifest) -> None:
    """Import what the routes need before the workers are forked: they share it, and no first request has to wait for it."""
    os.environ["OFFLOAD_HOOK"], os.environ["LOOP_HOOK"] = OFFLOAD_HOOK, LOOP_HOOK
    invoker = Invoker(manifest, GeventDeadline())
    invoker.prepare()
    for function in _routed_functions(manifest):
        try:
            invoker.load(function)
        except FunctionError as error:
            logger.exception("function %s cannot be loaded", function.name, exc_info=error.__cause__ or error)


def _spare_the_collector() -> None:
    """What is there before the first request stays: no collection need look at it, nor copy its pages from the workers' parent.

    Requests make cycles seldom, and many objects at a time that are gone a moment later.
    """
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
    gc.collect()
    gc.freeze()


def _routed_functions(manifest: Manifest) -> list[Function]:
    functions = {route.function.name: route.function for route in manifest.http_routes}
    if manifest.websocket_api is not None:
        functions |= {route.function.name: route.function for route in manifest.websocket_api.routes}
    return list(functions.values())


def _gunicorn_options(plan: SitePlan, listeners: list[int]) -> dict[str, object]:
    options: dict[str, object] = {
        "bind": [f"fd://{descriptor}" for descriptor in listeners],
        "workers": plan.settings.workers,
        "worker_class": GatewayWorker,
        "worker_connections": plan.settings.max_connections,
        "timeout": _longest_timeout(plan.manifest) + 5,
        "graceful_timeout": GRACEFUL_SECONDS,
        "backlog": _BACKLOG,
        "loglevel": "warning",
        "logger_class": GunicornLog,
        "control_socket_disable": True,
        "proc_name": "scoreboard-http",
        "child_exit": _forget_worker(plan),
    }
    if Path("/dev/shm").is_dir():  # noqa: S108 - only for the heartbeat file, which gunicorn unlinks at once
        options["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
    if plan.settings.tls:  # by which the worker knows the scheme of what it refuses; the handshakes are its own
        options |= {"certfile": str(plan.settings.tls_cert), "keyfile": str(plan.settings.tls_key)}
    return options


def _longest_timeout(manifest: Manifest) -> int:
    """The worker's own time-out is the net under handlers that never give way, which no greenlet's deadline can interrupt."""
    return max((function.timeout_seconds for function in _routed_functions(manifest)), default=10)


def _forget_worker(plan: SitePlan) -> Callable[[Any, Any], None]:
    def child_exit(_arbiter: Any, worker: Any) -> None:
        plan.socket_of(worker.pid).unlink(missing_ok=True)

    return child_exit


def _listener(descriptor: int | None, host: str, port: int) -> socket.socket:
    if descriptor is not None:
        return socket.socket(fileno=descriptor)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _run_directory(data_dir: Path, stack: contextlib.ExitStack) -> Path:
    """Where the workers' socket files are, for this user only; a path too long for a socket is replaced by a short one."""
    directory = (data_dir / "run").resolve() / "http"
    if len(str(directory)) + len("/worker-4194304.sock") > _LONGEST_SOCKET_PATH:
        directory = Path(tempfile.mkdtemp(prefix="scoreboard-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    for stale in directory.glob("worker-*.sock"):
        stale.unlink(missing_ok=True)
    return directory


def _announce(plan: SitePlan, public: socket.socket) -> None:
    """Say where we listen, in the log and in `<data-dir>/run/http.json`."""
    host, port = public.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    api = plan.manifest.websocket_api
    where = {
        "pid": os.getpid(),
        "base_url": f"{'https' if plan.settings.tls else 'http'}://{host}:{port}",
        "management_url": f"http://127.0.0.1:{plan.management_port}/{api.stage if api is not None else ''}",
    }
    directory = plan.settings.data_dir / "run"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "http.json").write_text(json.dumps(where))
    logger.info("listening on %s, %d workers", where["base_url"], plan.settings.workers)
