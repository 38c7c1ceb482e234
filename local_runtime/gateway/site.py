"""Everything one HTTP worker serves: the application, its WebSockets, and the management API of both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from gevent import Greenlet

from local_runtime import metrics
from local_runtime.gateway.http.admission import Admission
from local_runtime.gateway.http.app import create_app
from local_runtime.gateway.http.cors import CorsHeaders
from local_runtime.gateway.http.options import HttpOptions
from local_runtime.gateway.http.parser import Request
from local_runtime.gateway.http.patience import Patience
from local_runtime.gateway.http.requests import REQUEST_ID, Peer, choose_request_id
from local_runtime.gateway.websocket.gateway import Hijack, WebSocketGateway
from local_runtime.gateway.websocket.ids import ConnectionIds
from local_runtime.gateway.websocket.limits import MAX_MESSAGE_BYTES, Limits
from local_runtime.gateway.websocket.management import ManagementApi
from local_runtime.gateway.websocket.signature import AccessKey
from local_runtime.gateway.websocket.subscriber import Subscriber
from local_runtime.hosting.deadline import GeventDeadline
from local_runtime.hosting.events.http import HttpAnswer
from local_runtime.hosting.invoker import Invoker
from local_runtime.hosting.manifest import Cors, Manifest
from local_runtime.instance.descriptors import allowed
from local_runtime.instance.directory import InstanceDirectory
from local_runtime.instance.server_tls import ServerTls
from local_runtime.settings import InstanceSettings
from shared.core.metrics.processes import ProcessMetrics

_CLOSED = CorsHeaders(Cors())


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What all workers of the HTTP process have in common; made before they are forked."""

    manifest: Manifest
    settings: InstanceSettings
    options: HttpOptions
    run_directory: Path
    management_port: int

    def socket_of(self, process_id: int) -> Path:
        """The socket file through which other workers reach a worker."""
        return self.run_directory / f"worker-{process_id}.sock"


class Site:
    """A WSGI callable with a beginning and an end; `hijack` and `handled` are the server's, see WebSocketGateway."""

    def __init__(self, plan: SitePlan, hijack: Hijack, handled: Any) -> None:
        self._metrics = ProcessMetrics(InstanceDirectory(plan.settings.data_dir).metrics, metrics.read)
        options, provided, api = plan.options, plan.options.provided, plan.manifest.websocket_api
        invoker = Invoker(plan.manifest, GeventDeadline())
        self._plan = plan
        self._management_port = str(plan.management_port)
        self._gateway: WebSocketGateway | None = None
        self._management: ManagementApi | None = None
        if api is not None:
            ids = ConnectionIds(provided.instance_id, os.getpid())
            self._gateway = gateway = WebSocketGateway(
                api,
                invoker,
                hijack,
                handled,
                ids=ids,
                proxies=options.proxies,
                limits=_viewer_limits(plan.settings),
            )
            key = AccessKey(provided.aws_access_key_id, provided.aws_secret_access_key)
            self._management = ManagementApi(api.stage, gateway.find, key, ids, os.getpid(), plan.socket_of)
        self._app = create_app(
            plan.manifest,
            invoker,
            plan.settings,
            metrics=self._metrics,
            metrics_token=options.provided.metrics_token,
            proxies=options.proxies,
            websocket=self._gateway,
        )

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Requests on the management port or another worker's are the management API's, all others the application's."""
        # Only a local socket has a peer without an address.
        internal = environ.get("REMOTE_ADDR") == "" or environ.get("SERVER_PORT") == self._management_port
        if internal and self._management is not None:
            environ[REQUEST_ID] = choose_request_id(environ)
            return self._management(environ, start_response)
        return self._app(environ, start_response)

    def straight(self, request: Request, peer: Peer) -> HttpAnswer | None:
        """The answer to a request for a route of the HTTP API, None to all others; see Entrance."""
        if peer.address == "" or peer.server_port == self._management_port:
            return None
        return self._app.straight(request, peer)

    def start(self) -> None:
        """Start what runs beside the requests."""
        provided = self._plan.options.provided
        if self._gateway is None:
            return
        self._gateway.start()
        if provided.redis_url and provided.broadcast_channel:
            subscriber = Subscriber(
                provided.redis_url,
                provided.broadcast_channel,
                self._gateway.broadcast.publish,
                self._gateway.dismissals.publish,
                self._gateway.broadcast.accepted,
                self._gateway.views,
                ca_file=provided.redis_ca_file,
            )
            gevent.spawn(subscriber.run)

    def stop(self) -> None:
        """Begin to close the WebSockets."""
        if self._gateway is not None:
            self._gateway.stop()

    def admission(self, may_go: Callable[[Greenlet], bool]) -> Admission[Greenlet]:
        """The bounds for the connections of one worker; a proxy's connections are many people's."""
        settings = self._plan.settings
        return Admission(
            settings.max_connections,
            settings.max_connections_per_address,
            may_go,
            displaces_own=True,
            exempt=self._plan.options.proxies.trusts,
        )

    def note_turned_away(self) -> None:
        """A connection got no place, or lost it."""
        metrics.turned_away.inc()

    def server_tls(self) -> ServerTls | None:
        """What handshakes are made with; None for plain text. Made in the worker, where sockets are gevent's."""
        settings = self._plan.settings
        if not settings.tls or settings.tls_cert is None or settings.tls_key is None:
            return None
        return ServerTls(settings.tls_cert, settings.tls_key)

    @property
    def patience(self) -> Patience:
        """How long clients may take."""
        return self._plan.options.patience

    def max_body_bytes(self, *, public: bool) -> int:
        """The largest body that is taken in; the management API has a limit of its own, and an answer of its own to it."""
        return self._plan.settings.max_body_bytes if public else 2 * MAX_MESSAGE_BYTES

    def cors(self, *, public: bool) -> CorsHeaders:
        """Which pages may read the answers that a connection makes itself; the management API is for no page."""
        return self._app.cors if public else _CLOSED

    def flush_metrics(self) -> None:
        """Called at the end."""
        self._metrics.flush()

    def tend(self) -> None:
        """Called several times a second: keeps what was measured, and the history of it."""
        self._metrics.tend()
        if self._app.history is not None:
            self._app.history.tend()

    @property
    def is_drained(self) -> bool:
        """Whether the WebSockets have ended."""
        return self._gateway is None or self._gateway.is_drained

    @property
    def worker_socket(self) -> Path:
        """The socket file of this worker."""
        return self._plan.socket_of(os.getpid())


def _viewer_limits(settings: InstanceSettings) -> Limits:
    """As wished, and no more than the descriptors allow, with room for requests, logs and clients."""
    descriptors = allowed()
    viewers = settings.max_viewers
    if descriptors >= 0:
        viewers = min(viewers, max(100, descriptors - settings.max_connections - 1000))
    return Limits(connections=viewers, connections_per_address=settings.max_viewers_per_address)
