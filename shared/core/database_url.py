"""Reads postgresql:// URLs: where the servers are, who we are there, and how far we trust the line."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from shared.core.errors import ConfigurationError
from shared.core.hosts import each_host
from shared.core.network import is_loopback
from shared.core.tls import client_context

DEFAULT_PORT = 5432
SSL_MODES = ("disable", "require", "verify-ca", "verify-full")
_OPTIONS = frozenset({"sslmode", "sslrootcert", "host", "application_name", "target_session_attrs"})


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """One server of a parsed URL; `socket_path` is set instead of host and port for a Unix-domain socket."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    ssl_mode: str
    ssl_root_cert: str = ""
    socket_path: str = ""
    application_name: str = "scoreboard"

    @classmethod
    def parse_each(cls, url: str, ca_file: str = "", *, name: str = "DATABASE_URL") -> tuple[DatabaseUrl, ...]:
        """Of every host that the URL names, `postgresql://user:password@one:5432,two:5432/database`, see parse.

        Of several the one that takes writes is used, which may be said with `target_session_attrs=read-write`.
        """
        return tuple(cls.parse(each, ca_file, name=name) for each in each_host(url))

    @classmethod
    def parse(cls, url: str, ca_file: str = "", *, name: str = "DATABASE_URL") -> DatabaseUrl:
        """Read `postgresql://user:password@host:5432/database?sslmode=verify-full`; raises ConfigurationError about `name`.

        `sslmode` is one of disable, require (encrypted, not verified), verify-ca, verify-full. Left out it is verify-full,
        except on this machine, where it is disable. `sslrootcert` names the CA's file; left out it is `ca_file`, and if that is
        empty, too, the system's CAs. `?host=/directory` means the Unix-domain socket in that directory.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORT
        except ValueError:
            raise ConfigurationError(f"{name} is not a URL") from None
        options = dict(parse_qsl(parts.query))
        socket_directory = options.get("host", "")
        host = parts.hostname or ""
        database = unquote(parts.path.lstrip("/"))
        ssl_mode = options.get("sslmode") or ("disable" if socket_directory or is_loopback(host) else "verify-full")
        problems = [f"knows no option {option!r}" for option in sorted(set(options) - _OPTIONS)]
        if parts.scheme not in ("postgresql", "postgres"):
            problems.append("must begin with postgresql://")
        if not host and not socket_directory:
            problems.append("names no host")
        if not database or "/" in database:
            problems.append("must name one database after the host")
        if not parts.username:
            problems.append("names no user")
        if ssl_mode not in SSL_MODES:
            problems.append(f"has sslmode={ssl_mode}, which is none of {', '.join(SSL_MODES)}")
        if options.get("target_session_attrs", "read-write") != "read-write":
            problems.append("can have target_session_attrs=read-write and no other: every server of ours must take writes")
        if problems:
            raise ConfigurationError(f"{name} " + "; ".join(problems))
        return cls(
            host=host,
            port=port,
            database=database,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            ssl_mode=ssl_mode,
            ssl_root_cert=options.get("sslrootcert", ca_file),
            socket_path=f"{socket_directory}/.s.PGSQL.{port}" if socket_directory else "",
            application_name=options.get("application_name", "scoreboard"),
        )

    def ssl_context(self) -> ssl.SSLContext | None:
        """What TLS must prove; None for a plain connection. Raises ConfigurationError when the CA file cannot be read."""
        if self.ssl_mode == "disable":
            return None
        context = client_context(self.ssl_root_cert, "DATABASE_CA_FILE (or sslrootcert of DATABASE_URL)")
        context.check_hostname = self.ssl_mode == "verify-full"
        if self.ssl_mode == "require":
            context.verify_mode = ssl.CERT_NONE
        return context
