"""Every setting of the functions, typed, with its help; all problems reported at once. `get_page` alone reads some without it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

from shared.core.booleans import boolean
from shared.core.errors import ConfigurationError
from shared.core.limits import MAX_RETRIES
from shared.core.origins import origins
from shared.core.redis_shards import ShardPlace, check_places, shard_places
from shared.core.tls_versions import AMQP_TLS_MINIMUM, tls_version

MAX_DELAY_SECONDS = 86_400
MAX_MONTHS = 1200
_PROVIDER = ("jwt_issuer", "jwt_audience", "jwt_jwks_url")
SECRET_HELP = "may come from the secret SCOREBOARD_SECRET_ID names"  # noqa: S105 - help text


def _setting(help_text: str, default: Any = MISSING, *, secret: bool = False, most: float = math.inf) -> Any:
    return field(default=default, repr=not secret, metadata={"help": help_text, "secret": secret, "most": most})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the layer can be told; the variable is the field's name in capitals. Secrets never print."""

    redis_url: str = _setting(
        "Redis, e.g. redis://:password@host:6379/0; rediss:// for TLS; or its Sentinels, e.g."
        " redis+sentinel://:password@one:26379,two:26379/primary-name/0 (theirs: ?sentinel_password=); or nodes of a Redis"
        " Cluster, e.g. redis+cluster://:password@one:6379,two:6379, with a KEY_PREFIX",
        secret=True,
    )
    redis_shards: tuple[ShardPlace, ...] = _setting(
        "further shards, in which boards beside `main` may be, each as name=url#prefix of its keys, separated by spaces, e.g."
        " blue=redis://:password@host:6379/0 green=#{scoreboard-green}: (without a URL it is in the Redis of REDIS_URL); empty:"
        " all is in one",
        (),
        secret=True,
    )
    redis_replicas: Literal[0, 1, 2] = _setting(
        "replicas of Redis that must have an update before it is acknowledged, 0 to 2: then a failover to one of them loses none;"
        " with fewer, updates are answered 503",
        0,
    )
    amqp_url: str = _setting(
        "RabbitMQ, e.g. amqps://user:password@host:5671/%2F, or brokers of a cluster, host:5671,other:5671", secret=True
    )
    database_url: str = _setting(
        "PostgreSQL, e.g. postgresql://user:password@host:5432/scoreboard?sslmode=verify-full; of several servers,"
        " host:5432,other:5432, the one that takes writes",
        secret=True,
    )
    migrations_database_url: str = _setting(
        "the same database as the owner of its tables, for prepare_stores and manage_archive alone: the role of DATABASE_URL then"
        " gets only the rights that functions need; empty: it owns the tables",
        "",
        secret=True,
    )
    redis_ca_file: str = _setting("PEM file of a CA that Redis's certificate may be of, beside the system's", "")
    amqp_ca_file: str = _setting("PEM file of the CA that signed the broker's certificate; empty for the system's", "")
    amqp_tls_minimum: Literal["1.2", "1.3"] = _setting(
        "oldest version of TLS to accept from the broker, 1.3 or 1.2, which is for managed ones that offer nothing newer; what it"
        " gives up: the certificate travels readable, and the handshake is the one that attacks of the past were on",
        AMQP_TLS_MINIMUM,
    )
    database_ca_file: str = _setting("PEM file of the CA that signed PostgreSQL's certificate; empty for the system's", "")
    jwt_signing_key: str = _setting(
        "Ed25519 private keys (PEM, PKCS 8), one behind the other; the first one signs access tokens, all of them verify; "
        + SECRET_HELP,
        secret=True,
    )
    payload_keys: str = _setting(
        "AES-256 keys as key_id:base64[,older_id:base64], the same for all instances on the same stores; the first one encrypts,"
        " and signs tickets and the audit log; " + SECRET_HELP,
        secret=True,
    )
    scoreboard_secret_id: str = _setting("Secrets Manager secret (a JSON object of settings) read at the first call", "")
    jwt_issuer: str = _setting("issuer of an outside identity provider whose tokens are accepted too", "")
    jwt_audience: str = _setting("audience that the outside provider's tokens must name", "")
    jwt_jwks_url: str = _setting("https URL of the outside provider's JWK set", "")
    jwt_user_id_claim: str = _setting("claim of the outside provider's tokens that says which account of ours it is", "sub")
    key_prefix: str = _setting(
        "prefix of every Redis key of this scoreboard; on a Redis Cluster one with a hash tag, e.g. {spring}:, that keeps them in"
        " one slot",
        "",
    )
    rate_limit_requests: int = _setting("updates a player may make in the window", 100)
    rate_window_seconds: int = _setting("length of the sliding window", 60)
    instance_id: str = _setting(
        "which of the instances on the same stores this is; the local runtime makes one at each start", ""
    )
    instance_role: str = _setting(
        "what this instance does, of http, consumer and scheduler, separated by commas; given by the local runtime", ""
    )
    former_instance_id: str = _setting("the instance, ended, that used the same data directory before", "")
    history_queues: Literal[1, 2, 4] = _setting(
        "queues that carry updates to the ledger, each with a consumer of its own: 1, 2 or 4", 1
    )
    registrations_per_hour: int = _setting("accounts that may be made in an hour, in all", 10_000)
    network_registrations_per_hour: int = _setting(
        "accounts that may be made in an hour from one address, or /64 of IPv6; those from this machine are not counted", 600
    )
    history_months: int = _setting(
        "whole months after which an update leaves the table score_history for a part of score_history_archive, 1 to 1200",
        12,
        most=MAX_MONTHS,
    )
    audit_months: int = _setting(
        "whole months after which a sealed row leaves the table audit_log for a part of audit_log_archive, 1 to 1200",
        12,
        most=MAX_MONTHS,
    )
    retry_delays_seconds: tuple[float, ...] = _setting(
        "three delays, comma-separated, before an update that the ledger refused is tried again", (5.0, 30.0, 180.0)
    )
    outbox_max_entries: int = _setting(
        "updates that Redis keeps until the ledger has them, some 300 bytes each; of more only the broker has the oldest",
        1_000_000,
    )
    reconciliation_max_players: int = _setting(
        "players whose scores a reconciliation may lower; when there are more it lowers none and raises an alarm", 100
    )
    reconciliation_max_points: int = _setting("points by which it may lower them in all, likewise", 10_000)
    public_leaderboard: bool = _setting("true: reading and watching the board needs no token", False)
    require_action_ticket: bool = _setting("true: an update without an action ticket is refused", False)
    cors_allowed_origins: tuple[str, ...] = _setting(
        "origins, comma-separated, whose web pages may use the API and the WebSocket, e.g. https://game.example,capacitor://localhost",
        (),
    )
    scoreboard_frame_ancestors: tuple[str, ...] = _setting(
        "origins, comma-separated, whose web pages may show the live page in a frame, e.g. https://game.example; empty: nobody's",
        (),
    )
    broadcast_channel: str = _setting("Redis channel of a gateway that holds the sockets itself; empty on API Gateway", "")
    websocket_management_url: str = _setting("@connections endpoint of the WebSocket API", "")
    viewer_requests_per_second: int = _setting(
        "requests a second for posting to viewers on API Gateway; the account's quota (10,000) is shared with the HTTP API", 5000
    )
    appsync_events_url: str = _setting(
        "where to publish to an AppSync Events API that holds the viewers' connections instead of the WebSocket API;"
        " ends in /event",
        "",
    )
    appsync_events_channel: str = _setting("channel of that API, which begins with its namespace", "/scoreboard/live")
    appsync_events_api_key: str = _setting("API key to publish with; empty: signed with the function's role", "", secret=True)
    viewers_url: str = _setting("where viewers connect, told with a WebSocket ticket; empty: /ws of the same host", "")
    offload_hook: str = _setting(
        "module:function of what hosts the functions, to compute password hashes beside its event loop; empty: in place", ""
    )
    loop_hook: str = _setting(
        "module:object of what hosts the functions, its event loop, for many requests to share connections; empty: threads", ""
    )
    metrics_namespace: str = _setting(
        "CloudWatch namespace of the metrics, written to the log in embedded metric format; empty: none are written", ""
    )
    otel_exporter_otlp_endpoint: str = _setting(
        "where a collector takes spans by OTLP over HTTP, e.g. http://127.0.0.1:4318, with OpenTelemetry's other variables"
        " (OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS ...); needs the extra `otel`; empty: no spans, and nothing is loaded",
        "",
    )
    otel_service_name: str = _setting("what spans say they are from", "scoreboard")
    security_contact: str = _setting(
        "whom to tell of a weakness, a mailto: or https: address, published at /.well-known/security.txt; empty: nothing is", ""
    )
    log_level: str = _setting(
        "DEBUG, INFO, WARNING or ERROR; the console of `serve` shows WARNING and above unless it is set", "INFO"
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read all settings; raises ConfigurationError that lists every problem, without printing a value."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        for item in fields(cls):
            name = item.name.upper()
            raw = environment.get(name, "")
            if raw == "":
                if item.default is MISSING:
                    problems.append(f"{name} is missing: {item.metadata['help']}")
                continue
            try:
                values[item.name] = value = _CONVERTERS[str(item.type)](raw)
            except ValueError as error:
                problems.append(f"{name} {error}: {item.metadata['help']}")
                continue
            if isinstance(value, int) and value > item.metadata["most"]:
                problems.append(f"{name} is more than {item.metadata['most']}: {item.metadata['help']}")
        problems += _missing_of_provider(values)
        if not problems and values.get("redis_shards"):
            problems = check_places(values["redis_shards"], values["redis_url"], values.get("key_prefix", ""))
        if problems:
            raise ConfigurationError("the environment cannot be used:\n  " + "\n  ".join(problems))
        return cls(**values)


def _missing_of_provider(values: Mapping[str, Any]) -> list[str]:
    """An outside identity provider is known by three settings: with less none of its tokens would be accepted."""
    given = [name.upper() for name in _PROVIDER if name in values]
    missing = [name.upper() for name in _PROVIDER if name not in values]
    return [f"{' and '.join(missing)} must be set with {' and '.join(given)}"] if given and missing else []


def _integer(raw: str) -> int:
    if not raw.isascii() or not raw.isdigit() or int(raw) < 1:
        raise ValueError("is not a positive whole number")
    return int(raw)


def _one_of(first: int, second: int, third: int) -> Callable[[str], int]:
    def convert(raw: str) -> int:
        if raw not in {str(first), str(second), str(third)}:
            raise ValueError(f"is not {first}, {second} or {third}")
        return int(raw)

    return convert


def _delays(raw: str) -> tuple[float, ...]:
    try:
        delays = tuple(float(part) for part in raw.split(","))
    except ValueError:
        delays = ()
    if len(delays) != MAX_RETRIES or not all(0 < delay <= MAX_DELAY_SECONDS for delay in delays):
        raise ValueError(f"must be {MAX_RETRIES} numbers of seconds up to {MAX_DELAY_SECONDS}, separated by commas")
    return delays


_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": _integer,
    "bool": boolean,
    "Literal[0, 1, 2]": _one_of(0, 1, 2),
    "Literal[1, 2, 4]": _one_of(1, 2, 4),
    "Literal['1.2', '1.3']": tls_version,
    "tuple[float, ...]": _delays,
    "tuple[str, ...]": origins,
    "tuple[ShardPlace, ...]": shard_places,
}
