"""Asks the servers somebody else runs whether they answer and let us in, before anything is started."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import parse_qs, unquote, urlsplit

from local_runtime.instance.errors import InstanceError
from local_runtime.settings import OWNERS_DATABASE_URL
from shared.core.database_url import DatabaseUrl
from shared.core.errors import ConfigurationError
from shared.core.hosts import each_host
from shared.core.redis_servers import ClusterPrimary, lacking_replicas
from shared.core.redis_shards import FORM, check_places, shard_places
from shared.core.redis_url import RedisUrl
from shared.core.tls import older_tls, redis_options, what_travels_unprotected
from shared.core.tls_versions import AMQP_TLS_MINIMUM, tls_version

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
_NO_URL = "(not a URL)"
_NOT_LET_IN = "it needs a password, and the URL has none: redis://:PASSWORD@HOST:PORT, or redis://ACCOUNT:PASSWORD@HOST:PORT"
_LONG = 12  # characters of a password that is in no text by chance


def check_outside_servers(
    urls: Mapping[str, str],
    ca_files: Mapping[str, str],
    amqp_tls_minimum: str = AMQP_TLS_MINIMUM,
    keys: Sequence[str] = ("",),
    redis_replicas: int = 0,
) -> None:
    """The mappings are by the variable that names the server, as far as given; InstanceError lists all that do not answer.

    `keys` are KEY_PREFIX and all else that keys in Redis begin with; `redis_replicas` must follow it.
    """
    checks: dict[str, Callable[[str, str], None]] = {
        "REDIS_URL": partial(_check_redis, keys, redis_replicas),
        "AMQP_URL": partial(_check_amqp, amqp_tls_minimum),
        "DATABASE_URL": _check_database,
        OWNERS_DATABASE_URL: _check_database,
    }
    reasons = {name: _reason(checks[name], url, ca_files.get(name, "")) for name, url in urls.items()}
    problems = [f"{name}={redacted(urls[name])}: {reason}" for name, reason in reasons.items() if reason]
    if problems:
        raise InstanceError(
            "cannot use the servers named in the environment:\n  "
            + "\n  ".join(problems)
            + "\nstart them or correct the variable; without it the instance starts a private server of that kind"
        )
    for name, url in urls.items():
        if warning := what_travels_unprotected(name, url):
            logger.warning(warning)


def check_shards(raw: str, redis_url: str, key_prefix: str, ca_file: str, redis_replicas: int = 0) -> None:
    """REDIS_SHARDS: InstanceError when it cannot be read, or one of the servers does not take us. One that is away holds up
    nobody: its boards are away until it is back.

    `redis_url` is "" for a private Redis, in which there are shards by their prefixes.
    """
    try:
        places = shard_places(raw)
        problems = check_places(places, redis_url or "redis://127.0.0.1/0", key_prefix)
    except ValueError as error:
        raise InstanceError(f"REDIS_SHARDS {error}, e.g. {FORM}") from None
    for place in () if problems else places:
        url = place.url or redis_url
        reason = _reason(partial(_check_shard, place.key_prefix, redis_replicas), url, ca_file) if url else ""
        if reason:
            problems.append(f"the shard `{place.name}`, {redacted(url)}: {reason}")
    if problems:
        raise InstanceError("cannot use the shards in REDIS_SHARDS:\n  " + "\n  ".join(problems))


def _check_shard(key_prefix: str, replicas: int, url: str, ca_file: str) -> None:
    import redis

    try:
        _check_redis([key_prefix], replicas, url, ca_file)
    except redis.AuthenticationError:
        raise
    except (redis.ConnectionError, redis.TimeoutError) as error:
        logger.warning("a shard does not answer: its boards are away until it does (%s: %s)", redacted(url), error)


def redacted(url: str) -> str:
    """The URL without its password."""
    try:
        servers = [urlsplit(each) for each in each_host(url)]
        places = [f"{server.hostname or ''}{f':{server.port}' if server.port else ''}" for server in servers]
    except ValueError:
        return _NO_URL
    first = servers[0]
    if "@" in first.path:  # the end of a password with a slash in it
        return _NO_URL
    account = f"{first.username or ''}:***@" if first.password else f"{first.username}@" if first.username else ""
    return f"{first.scheme}://{account}{','.join(places)}{first.path}"


def _reason(check: Callable[[str, str], None], url: str, ca_file: str) -> str:
    try:
        check(url, ca_file)
    except InstanceError as error:
        return str(error)
    except ConfigurationError as error:  # in our words, which repeat nothing secret
        return " ".join(f"{type(error).__name__}: {error}".split())[:300]
    except Exception as error:  # whatever a client library raises, the operator gets one line
        text = _without_password(str(error) or repr(error), url)
        return " ".join(f"{type(error).__name__}: {text}".split())[:300]
    return ""


def _without_password(text: str, url: str) -> str:
    """A short one or a plain word is masked in a URL or in quotes only: between other letters (`***ort 1`) a gap tells it."""
    if redacted(url) == _NO_URL:
        return "it cannot be read; in a password / ? # @ are written %2F %3F %23 %40"
    user = urlsplit(each_host(url)[0]).username
    for password in sorted(_passwords(url), key=len, reverse=True):
        if len(password) >= _LONG and not password.isalpha():
            text = text.replace(password, "***")
            continue
        secret = re.escape(password)
        text = re.sub(rf"(?<=:){secret}(?=@)|(?<=_password=){secret}(?![^&\s'\"])", "***", text)
        if password != user:
            text = re.sub(rf"(?<=['\"`]){secret}(?=['\"`])", "***", text)
    return text


def _passwords(url: str) -> set[str]:
    try:
        parts = urlsplit(each_host(url)[0])
        passwords = {parts.password or "", *parse_qs(parts.query).get("sentinel_password", ())}
    except ValueError:
        return set()
    return {*passwords, *map(unquote, passwords)} - {""}


def _check_redis(keys: Sequence[str], replicas: int, url: str, ca_file: str) -> None:
    import redis
    from redis.backoff import NoBackoff
    from redis.crc import key_slot
    from redis.retry import Retry

    where = RedisUrl.parse(url, ca_file, key=keys[0])
    if isinstance(where.find_primary, ClusterPrimary) and len({key_slot(key.encode()) for key in keys}) > 1:
        raise InstanceError("BROADCAST_CHANNEL must begin with KEY_PREFIX, so that it lies in the same hash slot of the cluster")
    patience = {"socket_timeout": CONNECT_SECONDS, "socket_connect_timeout": CONNECT_SECONDS, "retry": Retry(NoBackoff(), 0)}
    server = where.current()
    with redis.Redis.from_url(server, **patience, **redis_options(where.server, ca_file)) as client:
        try:
            client.ping()
        except redis.AuthenticationError:
            if urlsplit(server).password:
                raise
            raise InstanceError(_NOT_LET_IN) from None
        if where.find_primary is None and client.info("cluster").get("cluster_enabled"):
            raise InstanceError("this is a node of a Redis Cluster: name its nodes as redis+cluster://node-1:6379,node-2:6379")
        if reason := lacking_replicas(client.info("replication"), replicas):
            raise InstanceError(f"{reason}: start them, or ask for fewer")


def _check_amqp(tls_minimum: str, url: str, ca_file: str) -> None:
    import pika

    from shared.core.amqp import parameters_of_each

    logging.getLogger("pika").setLevel(logging.CRITICAL)  # it tells at length what the exception says in a line
    minimum = tls_version(tls_minimum)
    brokers = parameters_of_each(url, ca_file, CONNECT_SECONDS, minimum)
    for parameters in brokers:
        parameters.connection_attempts = 1
        parameters.blocked_connection_timeout = CONNECT_SECONDS
    try:
        pika.BlockingConnection(brokers).close()
    except OSError as error:
        if advice := older_tls(error, minimum):
            raise InstanceError(advice) from error
        raise


def _check_database(url: str, ca_file: str) -> None:
    """See that one of the servers can be used."""
    servers = DatabaseUrl.parse_each(url, ca_file, name="it")
    refusals = []
    for server in servers:
        try:
            return _check_database_server(server, must_write=len(servers) > 1)
        except Exception as error:
            refusals.append(error)
    raise refusals[-1]


def _check_database_server(where: DatabaseUrl, *, must_write: bool) -> None:
    """Connect as functions do, and see that a transaction is one: poolers need not keep it together."""
    import pg8000.native

    connection = pg8000.native.Connection(
        where.user,
        host=where.host or "localhost",
        port=where.port,
        unix_sock=where.socket_path or None,
        database=where.database,
        password=where.password or None,
        timeout=CONNECT_SECONDS,
        ssl_context=where.ssl_context() or False,
        application_name=where.application_name,
    )
    try:
        for sql in ("BEGIN", "SELECT 1", "COMMIT"):
            connection.run(sql)
        if must_write and connection.run("SHOW transaction_read_only") != [["off"]]:
            raise ValueError("it takes no writes, and none of the others could be used")
    except pg8000.native.Error as error:
        raise ValueError(f"no transaction ({error}): PgBouncer needs pool_mode = transaction or session") from None
    finally:
        connection.close()
