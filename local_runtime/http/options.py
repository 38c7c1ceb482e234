"""The variables only the HTTP process reads, checked all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local_runtime.http.connection import Patience
from local_runtime.http.proxies import TrustedProxies
from local_runtime.settings import InstanceSettings, SettingsError
from local_runtime.websocket.signature import AccessKey


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What the supervisor, or whoever runs `python -m local_runtime.http`, says beyond the instance's options."""

    listen_fd: int | None
    management_fd: int | None
    tls_certificate: Path | None
    tls_key: Path | None
    patience: Patience
    proxies: TrustedProxies
    access_key: AccessKey
    metrics_token: str = field(repr=False)
    redis_url: str = field(repr=False)
    redis_ca_file: str
    broadcast_channel: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], settings: InstanceSettings) -> HttpOptions:
        """Read them; raises SettingsError listing all problems."""
        problems: list[str] = []
        certificate = _file(environment, "SCOREBOARD_TLS_CERT", settings.tls, problems)
        key = _file(environment, "SCOREBOARD_TLS_KEY", settings.tls, problems)
        proxies = TrustedProxies()
        try:
            proxies = TrustedProxies.parse(environment.get("SCOREBOARD_TRUSTED_PROXIES", ""))
        except ValueError as error:
            problems.append(f"SCOREBOARD_TRUSTED_PROXIES: {error}")
        listen_fd = _descriptor(environment, "SCOREBOARD_LISTEN_FD", problems)
        management_fd = _descriptor(environment, "SCOREBOARD_MANAGEMENT_FD", problems)
        patience = Patience(
            **{
                name: _seconds(environment, f"SCOREBOARD_{name.upper()}_SECONDS", default, problems)
                for name, default in asdict(Patience()).items()
            }
        )
        if problems:
            raise SettingsError("these options cannot be used:\n  " + "\n  ".join(problems))
        return cls(
            listen_fd=listen_fd,
            management_fd=management_fd,
            tls_certificate=certificate,
            tls_key=key,
            patience=patience,
            proxies=proxies,
            access_key=AccessKey(environment.get("AWS_ACCESS_KEY_ID", ""), environment.get("AWS_SECRET_ACCESS_KEY", "")),
            metrics_token=environment.get("METRICS_TOKEN", ""),
            redis_url=environment.get("REDIS_URL", ""),
            redis_ca_file=environment.get("REDIS_CA_FILE", ""),
            broadcast_channel=environment.get("BROADCAST_CHANNEL", ""),
        )


def _descriptor(environment: Mapping[str, str], name: str, problems: list[str]) -> int | None:
    value = environment.get(name, "")
    if not value:
        return None
    if not value.isdecimal():
        problems.append(f"{name}={value!r}: not a file descriptor")
        return None
    return int(value)


def _seconds(environment: Mapping[str, str], name: str, default: float, problems: list[str]) -> float:
    value = environment.get(name, "")
    try:
        seconds = float(value) if value else default
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        problems.append(f"{name}={value!r}: write seconds from 0.1 to 3600")
    return seconds


def _file(environment: Mapping[str, str], name: str, needed: bool, problems: list[str]) -> Path | None:
    value = environment.get(name, "")
    if not needed:
        return None
    if not value or not Path(value).is_file():
        problems.append(f"{name}={value!r}: TLS needs the path of a PEM file here")
        return None
    return Path(value)
