"""The options of an instance: one table for the command line, the environment and the child processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from shared.core.booleans import boolean
from shared.core.limits import MAX_BODY_BYTES
from shared.core.tls_versions import AMQP_TLS_MINIMUM

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DEFAULT_TEMPLATE = PROJECT_ROOT / "infra" / "template.yaml"
ROLES = ("http", "consumer", "scheduler")
PRIVATE_SERVERS = {"redis": "REDIS_URL", "rabbitmq": "AMQP_URL", "postgresql": "DATABASE_URL"}  # and what replaces each
SERVER_URLS = tuple(PRIVATE_SERVERS.values())
CA_FILES = {"REDIS_URL": "REDIS_CA_FILE", "AMQP_URL": "AMQP_CA_FILE", "DATABASE_URL": "DATABASE_CA_FILE"}
LEAST_MEMORY_MB = 768
OWNERS_DATABASE_URL = "MIGRATIONS_DATABASE_URL"  # the same database as the owner of its tables


class SettingsError(ValueError):
    """The options cannot be used; the message lists every problem and what to do."""


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """The options of `serve`, each also an environment variable `SCOREBOARD_<NAME>`."""

    host: str = field(default="127.0.0.1", metadata={"help": "address to listen on"})
    port: int = field(default=8080, metadata={"help": "port to listen on; 0 takes a free one"})
    workers: int = field(default=2, metadata={"help": "HTTP worker processes"})
    role: str = field(
        default="",
        metadata={"help": f"what the instance does, of {', '.join(ROLES)}, separated by commas; everything where it is left out"},
    )
    data_dir: Path = field(default=Path(".local"), metadata={"help": "where the instance keeps its servers' data and its keys"})
    memory_mb: int = field(
        default=0,
        metadata={"help": "MB of memory that private servers reckon with; 0 for what the machine or the control group has"},
    )
    template: Path = field(default=DEFAULT_TEMPLATE, metadata={"help": "the AWS SAM template to host"})
    tls: bool = field(default=False, metadata={"help": "serve HTTPS and WSS (TLS 1.3 only)"})
    tls_cert: Path | None = field(
        default=None, metadata={"help": "PEM file of the certificate chain to serve; without one the instance makes its own"}
    )
    tls_key: Path | None = field(default=None, metadata={"help": "PEM file of the certificate's private key"})
    insecure: bool = field(default=False, metadata={"help": "allow plain text on an address other than loopback"})
    verbose: bool = field(default=False, metadata={"help": "show requests that went well at the console, too"})
    max_log_bytes: int = field(
        default=100 * 1024 * 1024,
        metadata={"help": "size in bytes at which a log file is put aside as <name>.1, in place of an older one"},
    )
    max_body_bytes: int = field(
        default=MAX_BODY_BYTES,
        metadata={"help": f"largest request body in bytes, at most {MAX_BODY_BYTES}; larger ones are answered 413"},
    )
    max_connections: int = field(
        default=2000,
        metadata={"help": "HTTP connections of a worker; beyond that the oldest idle one of the address with the most gives way"},
    )
    max_connections_per_address: int = field(
        default=0, metadata={"help": "HTTP connections of a worker from one address, others are answered 429; 0 for any number"}
    )
    max_viewers: int = field(
        default=20_000,
        metadata={"help": "WebSockets of a worker; beyond that one of the address with the most gives way, or the answer is 503"},
    )
    max_viewers_per_address: int = field(
        default=0, metadata={"help": "WebSockets of a worker from one address, others are answered 429; 0 for any number"}
    )
    trusted_proxies: str = field(
        default="",
        metadata={"help": "addresses and networks, separated by commas, of proxies whose X-Forwarded-* headers are believed"},
    )

    @property
    def roles(self) -> tuple[str, ...]:
        """What `role` names; all of ROLES where it names none."""
        return tuple(name for part in self.role.split(",") if (name := part.strip())) or ROLES

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: object) -> InstanceSettings:
        """Read `SCOREBOARD_*`; `overrides` (the command line, None where not given) win; raises SettingsError."""
        environment = os.environ if environment is None else environment
        values: dict[str, object] = {}
        problems: list[str] = []
        for item in fields(cls):
            name = f"SCOREBOARD_{item.name.upper()}"
            given = overrides.get(item.name)
            raw = given if given is not None else environment.get(name)
            if raw is None or raw == "":
                continue
            try:
                values[item.name] = _convert(str(item.type), raw)
            except ValueError as error:
                problems.append(f"{name}={raw!r}: {error}")
        settings = cls(**values)  # type: ignore[arg-type]
        if settings.memory_mb and settings.memory_mb < LEAST_MEMORY_MB:
            problems.append(f"SCOREBOARD_MEMORY_MB={settings.memory_mb}: at least {LEAST_MEMORY_MB}, or 0 for all there is")
        if problems:
            raise SettingsError("these options cannot be used:\n  " + "\n  ".join(problems))
        return settings

    def as_environment(self) -> dict[str, str]:
        """The variables from which a child process reads the same options back."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {f"SCOREBOARD_{name.upper()}": "" if value is None else str(value) for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class ProvidedSettings:
    """What an instance gives its functions and its own processes need, too; what has no help here, `shared.core.config` and AWS
    explain.

    Empty where nothing was given.
    """

    aws_region: str = "us-east-1"
    aws_access_key_id: str = ""
    aws_secret_access_key: str = field(default="", repr=False)
    instance_id: str = ""
    redis_url: str = field(default="", repr=False)
    redis_ca_file: str = ""
    amqp_url: str = field(default="", repr=False)
    amqp_ca_file: str = ""
    amqp_tls_minimum: str = AMQP_TLS_MINIMUM
    broadcast_channel: str = ""
    metrics_token: str = field(
        default="",
        repr=False,
        metadata={"help": "bearer token with which other machines may read /metrics; empty: none"},
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ProvidedSettings:
        """Read the variables of the same names."""
        given = {item.name: environment.get(item.name.upper(), "") for item in fields(cls)}
        return cls(**{name: value for name, value in given.items() if value})


def _convert(kind: str, raw: object) -> object:
    if kind.startswith("Path"):
        return Path(str(raw)).expanduser().resolve()
    if kind == "int":
        try:
            return int(str(raw))
        except ValueError:
            raise ValueError("not a whole number") from None
    if kind == "bool":
        return boolean(str(raw))
    return str(raw)
