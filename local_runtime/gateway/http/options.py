"""The variables only the HTTP process reads, checked all at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from local_runtime.gateway.http.patience import Patience
from local_runtime.gateway.http.proxies import TrustedProxies
from local_runtime.instance.server_tls import UnusableCertificate, server_context
from local_runtime.settings import InstanceSettings, ProvidedSettings, SettingsError


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What the supervisor, or whoever runs `python -m local_runtime.processes.http`, says beyond the instance's options."""

    listen_fd: int | None
    management_fd: int | None
    patience: Patience
    proxies: TrustedProxies
    provided: ProvidedSettings

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], settings: InstanceSettings) -> HttpOptions:
        """Read them; raises SettingsError listing all problems."""
        problems: list[str] = []
        _check_tls(settings, problems)
        proxies = TrustedProxies.from_setting(settings.trusted_proxies, problems)
        listen_fd = _descriptor(environment, "SCOREBOARD_LISTEN_FD", problems)
        management_fd = _descriptor(environment, "SCOREBOARD_MANAGEMENT_FD", problems)
        patience = Patience.from_environment(environment, problems)
        if problems:
            raise SettingsError("these options cannot be used:\n  " + "\n  ".join(problems))
        return cls(
            listen_fd=listen_fd,
            management_fd=management_fd,
            patience=patience,
            proxies=proxies,
            provided=ProvidedSettings.from_environment(environment),
        )


def _descriptor(environment: Mapping[str, str], name: str, problems: list[str]) -> int | None:
    value = environment.get(name, "")
    if not value:
        return None
    if not value.isdecimal():
        problems.append(f"{name}={value!r}: not a file descriptor")
        return None
    return int(value)


def _check_tls(settings: InstanceSettings, problems: list[str]) -> None:
    if not settings.tls:
        return
    if settings.tls_cert is None or settings.tls_key is None:
        problems.append("TLS needs SCOREBOARD_TLS_CERT and SCOREBOARD_TLS_KEY, the paths of two PEM files")
        return
    try:
        server_context(settings.tls_cert, settings.tls_key)
    except UnusableCertificate as error:
        problems.append(str(error))
