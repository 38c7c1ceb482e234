"""The one way to Redis: a bounded pool with short timeouts, nothing sent twice, errors translated."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, TryAgainError
from redis.retry import Retry

from shared.core import metrics
from shared.core.errors import ConfigurationError, RedisUnavailable
from shared.core.loop import Loop
from shared.core.redis_url import RedisUrl
from shared.core.tcp import KEEPALIVE
from shared.core.tls import client_context, redis_options
from shared.stores.redis.failover import Failover, WatchedConnection, WatchedPool, WatchedSSLConnection, is_wrong_server
from shared.stores.redis.line import SharedLine

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
POOL_SIZE = 64
POOL_WAIT_SECONDS = 2.0

Greeting = Callable[["NewConnection"], None]
_SCRIPT_COMMANDS = frozenset({"EVALSHA", "EVAL"})
P = ParamSpec("P")
T = TypeVar("T")

# Cannot write its file, full, cluster in motion, busy with a long script.
_TEMPORARY = ("MISCONF", "BUSY")
_TEMPORARY_ERRORS = (OutOfMemoryError, TryAgainError)


def connect(
    url: str,
    size: int = POOL_SIZE,
    *,
    ca_file: str = "",
    key_prefix: str = "",
    loop: Loop | None = None,
    greet: Greeting | None = None,
) -> redis.Redis:
    """A client of REDIS_URL (see RedisUrl), connecting at the first command; answers are bytes.

    `greet` is called with each new connection before anything else is sent on it.

    Each command has a connection out of a pool of `size`; on the host's `loop` single commands share one instead. A command whose
    answer was lost is never sent again: an increment must not count twice. A connection that went stale while idle is noticed
    before it is used, so a restarted server costs no failed command by itself.

    With `rediss://` the server must show a certificate for its name of a CA of the system's, or of `ca_file`. What the URL says
    (`ssl_ca_certs`, `ssl_cert_reqs=none`) beats that.
    """
    where = RedisUrl.parse(url, ca_file, key=key_prefix)
    uses_tls = where.server.startswith("rediss://")
    if uses_tls and ca_file:
        client_context(ca_file, "REDIS_CA_FILE")  # a file that cannot be read is told of now, not as a server that is away
    failover = Failover()
    try:
        pool = WatchedPool.from_url(
            where.server,
            connection_class=WatchedSSLConnection if uses_tls else WatchedConnection,
            failover=failover,
            find_primary=where.find_primary,
            max_connections=size,
            timeout=POOL_WAIT_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            socket_keepalive=True,
            socket_keepalive_options=KEEPALIVE,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            decode_responses=False,
            redis_connect_func=None if greet is None else _greeting(greet),
            **redis_options(where.server, ca_file),
        )
    except ValueError as error:
        raise ConfigurationError(f"REDIS_URL cannot be used: {type(error).__name__}") from None
    if loop is None:
        return MeasuredRedis(connection_pool=pool)
    return SharingRedis(pool, SharedLine(pool.new_connection, failover, loop))


class NewConnection:
    """The server behind a connection that begins, asked on that very connection; errors are redis-py's."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute_command(self, *words: Any) -> Any:
        """Send a command and wait for the bare answer."""
        self._connection.send_command(*words)
        return self._connection.read_response()

    def info(self, section: str) -> dict[str, str]:
        """INFO, all values as text."""
        text: bytes = self.execute_command("INFO", section)
        return {name: value for name, _, value in (line.partition(":") for line in text.decode().splitlines())}


def _greeting(greet: Greeting) -> Callable[[Any], None]:
    def begin(connection: Any) -> None:
        connection.on_connect()
        greet(NewConnection(connection))

    return begin


def server_of(client: NewConnection | redis.Redis) -> str:
    """Which Redis answers, and as whose successor: its run id, another one after each start, and its replication id."""
    return f"{client.info('server')['run_id']}/{client.info('replication')['master_replid']}"


class MeasuredRedis(redis.Redis):
    """redis-py, with a look at the clock; scripts are measured by their names where they are run."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """As redis-py's."""
        name = args[0]
        if name in _SCRIPT_COMMANDS:
            return self._execute(*args, **options)
        return _measured(name, lambda: self._execute(*args, **options))

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        """As redis-py's."""
        return _MeasuredPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)

    def ask_together(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The answers to commands that are sent in one write; an error stands in the place of its answer."""
        with self.pipeline(transaction=False) as pipeline:
            for words in commands:
                pipeline.execute_command(*words)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
        return answers

    def close(self) -> None:
        """End all connections; a later command makes another."""
        super().close()
        self.connection_pool.disconnect()

    def _execute(self, *args: Any, **options: Any) -> Any:
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


class _MeasuredPipeline(redis.client.Pipeline):
    def execute(self, raise_on_error: bool = True) -> list[Any]:
        return _measured("pipeline", lambda: super(_MeasuredPipeline, self).execute(raise_on_error))  # type: ignore[no-any-return]


def _measured(name: str, run: Callable[[], Any]) -> Any:
    began = perf_counter()
    try:
        answer = run()
    except redis.RedisError:
        metrics.redis_errors.of(name).inc()
        raise
    metrics.redis_command_seconds.of(name).observe(perf_counter() - began)
    return answer


class SharingRedis(MeasuredRedis):
    """redis-py with its single commands on a line that all share; nothing that blocks on the server may be among them."""

    def __init__(self, pool: redis.ConnectionPool, line: SharedLine) -> None:
        super().__init__(connection_pool=pool)
        self._line = line

    def _execute(self, *args: Any, **options: Any) -> Any:
        name = args[0]
        answer = self._line.call((*name.split(), *args[1:]) if " " in name else args)
        options.pop("keys", None)  # meant for redis-py's cache
        parse = self.response_callbacks.get(name)  # type: ignore[no-untyped-call]
        return answer if parse is None else parse(answer, **options)

    def ask(self, *words: Any) -> Any:
        """The bare answer to a command, as Redis gives it."""
        return self._line.call(words)

    def ask_together(self, *commands: tuple[Any, ...]) -> list[Any]:
        """As MeasuredRedis's, on the line."""
        return self._line.call_together(commands)

    def close(self) -> None:
        """See MeasuredRedis."""
        self._line.close()
        super().close()


class translated:  # noqa: N801 - read as a word where it is used
    """Turns whatever says that Redis is away or cannot serve now into RedisUnavailable: a decorator, or around a block."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, redis.RedisError) and _says_unavailable(error):
            raise RedisUnavailable from error

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def translating(*arguments: P.args, **named: P.kwargs) -> T:
            try:
                return function(*arguments, **named)
            except redis.RedisError as error:
                if _says_unavailable(error):
                    raise RedisUnavailable from error
                raise

        return translating


def _says_unavailable(error: redis.RedisError) -> bool:
    if isinstance(error, redis.ResponseError):
        return is_wrong_server(error) or isinstance(error, _TEMPORARY_ERRORS) or str(error).startswith(_TEMPORARY)
    return isinstance(error, redis.ConnectionError | redis.TimeoutError)
