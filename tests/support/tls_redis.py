"""A Redis that speaks nothing but TLS; its certificate is for 127.0.0.1."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
import trustme

from local_runtime.instance.servers import programs
from local_runtime.instance.servers.ports import free_port
from local_runtime.instance.servers.run import started
from local_runtime.instance.supervisor.process import ProcessSpec

PASSWORD = secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class TlsRedis:
    """Where it is, and who vouches for it."""

    url: str
    ca_file: str
    authority: trustme.CA


@contextmanager
def tls_redis(directory: Path) -> Iterator[TlsRedis]:
    """A running one, with its files in `directory`."""
    authority, ca_file, password = trustme.CA(), str(directory / "ca.pem"), PASSWORD
    authority.cert_pem.write_to_path(ca_file)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(directory / "server.pem"))
    port = free_port()
    (directory / "redis.conf").write_text(
        f"port 0\ntls-port {port}\nbind 127.0.0.1\nrequirepass {password}\ntls-auth-clients no\n"
        "save ''\nappendonly yes\nrdbcompression no\n"
        f"tls-cert-file server.pem\ntls-key-file server.pem\ntls-ca-cert-file {ca_file}\n"
    )
    url = f"rediss://:{password}@127.0.0.1:{port}/0"

    def answers() -> bool:
        try:
            with redis.Redis.from_url(url, ssl_ca_certs=ca_file) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    argv = (str(programs.REDIS.require()), str(directory / "redis.conf"))
    with started(ProcessSpec(name="redis", argv=argv, env={}, cwd=directory, log_file=directory / "log", probe=answers)):
        yield TlsRedis(url, ca_file, authority)
