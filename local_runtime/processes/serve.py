"""Runs an instance from its first check to its clean end."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from local_runtime import metrics
from local_runtime.gateway.http.patience import Patience
from local_runtime.gateway.http.proxies import TrustedProxies
from local_runtime.hosting.load import encoded, load_manifest
from local_runtime.hosting.manifest import Manifest
from local_runtime.instance.certificate import own_ca_file, problems_with_certificate, with_certificate
from local_runtime.instance.descriptors import REMEDY, allow_least, allowed
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.doctor import private_memory
from local_runtime.instance.environment import (
    function_environment,
    given_secrets,
    owners_environment,
    process_environment,
    with_provided_names,
)
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.keyring import Keyring, keys_are_in_use
from local_runtime.instance.launch import ServerAddresses, launch_servers
from local_runtime.instance.listeners import Listeners, bound_listeners, refuse_exposure
from local_runtime.instance.own_tls import ServedCertificates
from local_runtime.instance.products import at_start_spec, product_specs, refusal, stop_stages
from local_runtime.instance.servers.certificates import write_private
from local_runtime.instance.servers.clock_watch import ClockWatch
from local_runtime.instance.servers.memory import own_shares
from local_runtime.instance.servers.room import Room
from local_runtime.instance.supervisor.child import Observer
from local_runtime.instance.supervisor.inbox import SignalInbox
from local_runtime.instance.supervisor.loop import StartFailed, StopRequested, Supervisor
from local_runtime.instance.supervisor.stale import end_marked, instance_marker, wait_reaped
from local_runtime.settings import LEAST_MEMORY_MB, ROLES, SERVER_URLS, InstanceSettings, SettingsError
from shared.core.limits import MAX_BODY_BYTES
from shared.core.metrics.processes import ProcessMetrics

logger = logging.getLogger(__name__)

MAX_PORT = 65535
# Of those that are no port: where the least is 0 it stands for any number.
LEAST = {
    "workers": 1,
    "max_log_bytes": 1024 * 1024,
    "max_body_bytes": 1,
    "max_connections": 1,
    "max_connections_per_address": 0,
    "max_viewers": 1,
    "max_viewers_per_address": 0,
}
Announce = Callable[[Mapping[str, Any]], None]


def run_instance(
    settings: InstanceSettings, environment: Mapping[str, str], observer: Observer, announce: Announce | None
) -> None:
    """Start everything, `announce` the content of runtime.json, watch until SIGTERM or SIGINT, stop everything.

    Without `announce` only the stores are prepared, and nothing is served.

    Raises InstanceError, SettingsError or the template reader's ValueError before anything is started; after that StartFailed, or
    InstanceError when the stores refuse this instance.
    """
    check_settings(settings, environment)
    check_roles(settings, environment)
    refuse_exposure(settings)
    settings = dataclasses.replace(settings, data_dir=settings.data_dir.resolve(), template=settings.template.resolve())
    manifest = load_manifest(settings, with_provided_names(environment))
    directory = InstanceDirectory(settings.data_dir)
    marker = instance_marker(settings.data_dir)
    with directory.claimed(), SignalInbox() as inbox:
        end_marked(marker)
        left = directory.read_runtime()
        if left is not None:
            wait_reaped(left["processes"].values())
        directory.begin_run()
        keyring = Keyring.load_or_make(directory.secrets_file, given_secrets(environment))
        with bound_listeners(settings) as listeners:
            ca_file = own_ca_file(settings)
            settings = with_certificate(dataclasses.replace(settings, port=listeners.port))
            instance = _Instance(settings, environment, manifest, directory, keyring, listeners, ca_file)
            supervisor = Supervisor(inbox, observer, marker, instance.write_runtime, instance.count_restart)
            try:
                instance.fill_run()
                instance.prepare(supervisor)
                if announce is not None:
                    instance.serve(supervisor)
                    announce(instance.write_runtime(supervisor.processes))
                    instance.watch(supervisor)
            except StopRequested:
                pass
            except Exception:
                # Ctrl-C in the terminal also ends a program that was just preparing a server; that is no failure.
                if not inbox.stop_requests:
                    raise
            finally:
                with suppress(OSError):  # on a disk that takes nothing any more the processes are ended all the same
                    directory.remove_runtime()
                supervisor.stop(stop_stages(manifest))
                with suppress(OSError):
                    directory.end_run()


def check_settings(settings: InstanceSettings, environment: Mapping[str, str]) -> None:
    """SettingsError listing every number that is out of its range, and what is wrong with the certificate or the shell."""
    problems = []
    if not 0 <= settings.port <= MAX_PORT:
        problems.append(f"--port {settings.port}: write a number from 0 to {MAX_PORT}")
    for name, least in LEAST.items():
        if (given := getattr(settings, name)) < least:
            problems.append(f"--{name.replace('_', '-')} {given}: at least {least}")
    if settings.max_body_bytes > MAX_BODY_BYTES:
        problems.append(f"--max-body-bytes {settings.max_body_bytes}: at most {MAX_BODY_BYTES}, for functions take no more")
    Patience.from_environment(environment, problems)
    TrustedProxies.from_setting(settings.trusted_proxies, problems)
    if not allow_least():
        problems.append(f"only {allowed()} files may be open at once: {REMEDY}")
    if unknown := [role for role in settings.roles if role not in ROLES]:
        problems.append(f"--role {settings.role}: {', '.join(unknown)} is none of {', '.join(ROLES)}")
    problems += problems_with_certificate(settings)
    if problems:
        raise SettingsError("these options cannot be used:\n  " + "\n  ".join(problems))


def check_roles(settings: InstanceSettings, environment: Mapping[str, str]) -> None:
    """InstanceError where an instance that leaves something to others would keep its stores for itself."""
    missing = [name for name in SERVER_URLS if not environment.get(name)]
    left = [role for role in ROLES if role not in settings.roles]
    if left and missing:
        raise InstanceError(
            f"--role {settings.role} leaves {' and '.join(left)} to other instances, which cannot reach private servers: set"
            f" {', '.join(missing)}, or leave --role out"
        )


class _Instance:
    """What is known once the sockets are bound."""

    def __init__(
        self,
        settings: InstanceSettings,
        environment: Mapping[str, str],
        manifest: Manifest,
        directory: InstanceDirectory,
        keyring: Keyring,
        listeners: Listeners,
        ca_file: Path | None,
    ) -> None:
        self._settings = settings
        self._environment = dict(environment)
        self._manifest = manifest
        self._directory = directory
        self._keyring = keyring
        self._listeners = listeners
        self._own_ca_file = ca_file
        self._certificates = ServedCertificates(settings.tls_cert if ca_file is None else None)
        self._servers = ServerAddresses({}, {})
        self._ca_file = ""
        self._instance_ids = directory.new_instance_id()
        self._function_env: dict[str, str] = {}
        self._metrics = ProcessMetrics(None, metrics.registry.read)

    def fill_run(self) -> None:
        """What the processes find in `run`."""
        write_private(self._directory.manifest_file, encoded(self._manifest))
        self._metrics = ProcessMetrics(self._directory.metrics, metrics.registry.read)

    def prepare(self, supervisor: Supervisor) -> None:
        """Servers, then what is to be invoked at start."""
        memory = private_memory(self._environment, self._settings.memory_mb, None)
        if memory is not None and not memory.is_enough:
            logger.warning("%s MB of memory are few for private servers: give them %s", memory.megabytes, LEAST_MEMORY_MB)
        shares = own_shares(self._settings.memory_mb)
        self._servers = launch_servers(self._directory.path, self._environment, self._keyring, shares, supervisor.launch)
        self._ca_file = self._known_authorities()
        self._function_env = self._make_function_environment(self._keyring)
        supervisor.wait_ready()
        environment = owners_environment(self._process_environment(self._function_env), self._function_env)
        at_start = at_start_spec(self._manifest, self._directory, environment)
        if at_start is not None:
            try:
                supervisor.run_once(at_start)
            except StartFailed as failed:
                raise refusal(failed) or failed from None
        if self._function_env["PAYLOAD_KEYS"] == self._keyring.payload_keys:
            keys_are_in_use(self._directory.secrets_file)

    def serve(self, supervisor: Supervisor) -> None:
        """The product's processes."""
        environment = self._process_environment(self._function_env)
        supervisor.launch(*product_specs(self._settings, self._manifest, self._directory, self._listeners, environment))
        for name in supervisor.processes:
            metrics.restarts.of(name)
        self._metrics.flush()
        supervisor.wait_ready()

    def count_restart(self, name: str) -> None:
        """A process died and was started again."""
        metrics.restarts.of(name).inc()
        self._metrics.flush()

    def watch(self, supervisor: Supervisor) -> None:
        """Keep everything alive, whatever becomes of the disk and the clock, until a signal asks for the end."""
        room = Room(self._directory.path, self._servers.refuse_changes, lambda: supervisor.restart("rabbitmq", "has no room"))

        clock = ClockWatch(self._servers.sync_again)

        def tend() -> None:
            room.tend()
            clock.tend()
            metrics.free_bytes.of().set(room.free_bytes)
            self._keep_run()
            self._metrics.tend()
            if self._certificates.look():
                with suppress(OSError):  # on a full disk verbs read the file alone
                    self.write_runtime(supervisor.processes)

        supervisor.watch(lambda: self.take_new_keys(supervisor), tend)

    def _keep_run(self) -> None:
        """Make `run` again where somebody has tidied up memory: no process could start without it."""
        if self._directory.run.is_dir():
            return
        try:
            self._directory.make_run()
            self.fill_run()
        except OSError as error:
            logger.debug("%s cannot be made: %s", self._directory.run, error)
        else:
            logger.warning("what %s leads to was removed, and is made again", self._directory.run)

    def take_new_keys(self, supervisor: Supervisor) -> None:
        """Read the keys again and have all processes use them; who reads what others seal is replaced before them.

        A file that cannot be read changes nothing. The supervisor has runtime.json written when they are in use.
        """
        try:
            keyring = self._keyring.with_keys_of(Keyring.load_or_make(self._directory.secrets_file))
        except InstanceError as error:
            logger.error("%s", error)  # noqa: TRY400 - the message is written for the reader
            return
        function_env = self._make_function_environment(keyring)
        environment = self._process_environment(function_env)
        http, *workers = product_specs(self._settings, self._manifest, self._directory, self._listeners, environment)
        supervisor.replace(*workers)
        supervisor.replace(http)
        self._keyring, self._function_env = keyring, function_env

    def write_runtime(self, processes: Mapping[str, int]) -> dict[str, Any]:
        """Write runtime.json; answers its content."""
        document = {
            "pid": os.getpid(),
            "instance_id": self._instance_ids[0],
            "base_url": self._listeners.base_url("https" if self._settings.tls else "http"),
            "ws_url": self._listeners.base_url("wss" if self._settings.tls else "ws") + "/ws",
            "redis_url": self._servers.urls["REDIS_URL"],
            "amqp_url": self._servers.urls["AMQP_URL"],
            "database_url": self._servers.owners_database_url,
            "ca_file": self._ca_file,
            **self._certificates.as_runtime,
            "function_env": self._function_env,
            "processes": dict(processes),
        }
        self._directory.write_runtime(document)
        return document

    def _process_environment(self, function_env: Mapping[str, str]) -> dict[str, str]:
        return process_environment(self._environment, function_env)

    def _make_function_environment(self, keyring: Keyring) -> dict[str, str]:
        api = self._manifest.websocket_api
        return function_environment(
            self._environment,
            self._manifest.environment,
            self._settings,
            keyring,
            server_urls=self._servers.urls,
            ca_files=self._servers.ca_files,
            management_url=self._listeners.management_url(api.stage if api is not None else ""),
            instance_ids=self._instance_ids,
        )

    def _known_authorities(self) -> str:
        """One file with which a client may verify whatever it meets here: the broker, and HTTPS by a certificate of our own."""
        broker = self._servers.ca_files["AMQP_CA_FILE"]
        if self._own_ca_file is None or not broker:
            return broker or str(self._own_ca_file or "")
        bundle = self._directory.path / "ca.pem"
        bundle.write_bytes(Path(broker).read_bytes() + self._own_ca_file.read_bytes())
        return str(bundle)
