"""A private RabbitMQ: TLS 1.3 only, credentials of its own, data kept under a stable node name."""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
from pathlib import Path

from local_runtime.instance.question import Question
from local_runtime.instance.servers import programs
from local_runtime.instance.servers.certificates import ensure_certificates, write_private
from local_runtime.instance.servers.errors import ServerError
from local_runtime.instance.servers.memory import Shares, own_shares
from local_runtime.instance.servers.ports import LOOPBACK, remembered_port
from local_runtime.instance.servers.rabbitmq_data import begin_anew, installed_series, take_over
from local_runtime.instance.servers.rabbitmq_home import slim_program
from local_runtime.instance.servers.rabbitmq_place import correct_places
from local_runtime.instance.servers.room import is_exhausted, low_bytes
from local_runtime.instance.supervisor.process import ProcessSpec
from shared.core.tls import amqp_context
from shared.core.tls_versions import AMQP_TLS_MINIMUM

USER = "scoreboard"
NODE_NAME = "scoreboard@localhost"  # the database directory is named after it, so it must never change
PROBE_SECONDS = 2.0
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = 1
LOG_FILE, LOG_BYTES = "rabbitmq.log", 10 * 1024 * 1024  # Erlang's standard output never recovers from a full disk
# Its content is in memory, too: 512 MB of it, the default, may be all the memory there is for the broker.
WAL_BYTES = 64 * 1024 * 1024
MAX_MESSAGE_BYTES = 2 * 1024 * 1024  # no event that holds it is too large for a function, and none comes back for ever
_BROKEN_QUEUE = re.compile(r"quorum queue '?([^' ]+)'? could not be restarted \{error")
# Killed just after a queue was deleted and declared again it may start a queue that never chooses a leader, and waits for one.
_LEADERLESS_QUEUE = re.compile(r"\{'?%2F_([^',]+)'?,[^}]*\}: leader call - leader not known")
_LED_QUEUE = re.compile(r"queue '([^']+)' in vhost '/': candidate -> leader")
logger = logging.getLogger(__name__)


class PrivateRabbitMQ:
    """RabbitMQ under `<data_dir>/rabbitmq`; `prepare` it, then start its `specs`.

    The limits are numbers with MB or GB: a unit that RabbitMQ does not know (TB) silently makes the disk limit 50 MB. Without one
    for the disk it takes messages for longer than Redis takes the updates they tell of.
    """

    def __init__(self, data_dir: Path, password: str, memory: Shares | None = None, *, disk_free_limit: str = "") -> None:
        self._directory = data_dir / "rabbitmq"
        self._password = password
        self._memory = memory or own_shares()
        self._disk_free_limit = disk_free_limit
        self.port = 0
        self._distribution_port = self._epmd_port = 0
        self._program = Path()
        self.ca_file = self._directory / "tls" / "ca.pem"

    @property
    def url(self) -> str:
        """Where it answers; valid after prepare()."""
        return f"amqps://{USER}:{self._password}@{LOOPBACK}:{self.port}/%2F"

    def prepare(self) -> None:
        """Certificates, ports and configuration; idempotent."""
        if "'" in str(self._directory):
            raise ServerError(f"RabbitMQ cannot work in {self._directory} (an apostrophe): choose another with --data-dir")
        for directory in (self._directory, self._directory / "home", self._directory / "mnesia"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        program = programs.RABBITMQ.require()
        self._program = slim_program(program, self._directory / "server")
        take_over(self._directory, installed_series(program))
        correct_places(self._directory / "mnesia")
        certificates = ensure_certificates(self._directory / "tls")
        self.port = remembered_port(self._directory / "port")
        self._distribution_port = remembered_port(self._directory / "distribution-port", (self.port,))
        self._epmd_port = remembered_port(self._directory / "epmd-port", (self.port, self._distribution_port))
        cookie = self._directory / "home" / ".erlang.cookie"
        if not cookie.exists():
            write_private(cookie, secrets.token_hex(20).encode())
            cookie.chmod(0o400)
        configuration = f"""listeners.tcp = none
listeners.ssl.default = {LOOPBACK}:{self.port}
ssl_options.cacertfile = tls/{certificates.ca_file.name}
ssl_options.certfile = tls/{certificates.certificate_file.name}
ssl_options.keyfile = tls/{certificates.key_file.name}
ssl_options.versions.1 = tlsv1.3
ssl_options.verify = verify_none
ssl_options.fail_if_no_peer_cert = false
default_user = {USER}
default_pass = {self._password}
loopback_users.guest = true
vm_memory_high_watermark.absolute = {self._memory.rabbitmq}MB
disk_free_limit.absolute = {self._disk_free_limit or low_bytes(self._directory) // 2}
raft.wal_max_size_bytes = {WAL_BYTES}
max_message_size = {MAX_MESSAGE_BYTES}
num_acceptors.ssl = 4
log.console = false
log.file = {LOG_FILE}
log.file.level = info
log.file.rotation.size = {LOG_BYTES}
log.file.rotation.count = 1
log.connection.level = warning
"""
        write_private(self._directory / "rabbitmq.conf", configuration.encode())
        write_private(self._directory / "enabled_plugins", b"[].\n")

    def specs(self) -> tuple[ProcessSpec, ...]:
        """The broker, and Erlang's port mapper, without which it does not start and which it would leave behind."""
        directory = self._directory
        return (
            ProcessSpec(
                name="epmd",
                argv=(
                    str(programs.EPMD.require()),
                    "-port",
                    str(self._epmd_port),
                    "-address",
                    LOOPBACK,
                    "-relaxed_command_check",
                ),
                env={"PATH": os.defpath, "HOME": str(directory / "home")},
                cwd=directory,
                log_file=directory / "epmd.log",
                probe=self._mapper_answers,
                stop_timeout_seconds=2.0,
            ),
            ProcessSpec(
                name="rabbitmq",
                argv=(self._program_seen_from_its_directory(),),
                env={
                    "PATH": f"{os.environ.get('PATH', '')}:{os.defpath}",
                    "LC_ALL": "C.UTF-8",
                    "HOME": str(directory / "home"),
                    "RUNNING_UNDER_SYSTEMD": "true",  # makes the script exec the Erlang machine: one process, its own pid
                    "RABBITMQ_NODENAME": NODE_NAME,
                    "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
                    "RABBITMQ_LOG_BASE": str(directory),
                    "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
                    "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
                    "RABBITMQ_CONF_ENV_FILE": os.devnull,
                    "RABBITMQ_DIST_PORT": str(self._distribution_port),
                    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": self._erlang_arguments(),
                    "ERL_EPMD_PORT": str(self._epmd_port),
                    "ERL_EPMD_ADDRESS": LOOPBACK,
                    "ERL_FLAGS": "-start_epmd false",  # else it, or a helper it runs, starts an `epmd -daemon` that outlives it
                },
                cwd=directory,
                log_file=directory / LOG_FILE,
                probe=self._serves,
                answers=Question(LOOPBACK, self.port, AMQP_HEADER, tls=True),
                may_start=lambda: not is_exhausted(directory),
                mend=self._mend,
                stop_timeout_seconds=8.0,
                ready_timeout_seconds=90.0,
            ),
        )

    def _program_seen_from_its_directory(self) -> str:
        # The script does not quote its own path: spaces above the data directory must not be in it.
        inside = self._program.is_relative_to(self._directory)
        return str(self._program.relative_to(self._directory) if inside else self._program)

    def _erlang_arguments(self) -> str:
        return "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"  # quiet when idle

    def _mend(self, written: str) -> bool:
        """Begin anew where a queue's own log has a gap or it has no leader: it would never serve again, and others have what its
        messages told.
        """
        leaderless = set(_LEADERLESS_QUEUE.findall(written)).difference(_LED_QUEUE.findall(written))
        broken = sorted(leaderless.union(_BROKEN_QUEUE.findall(written)))
        if not broken:
            return False
        logger.error("the broker cannot recover %s and begins anew; updates that it held are sent again", ", ".join(broken))
        begin_anew(self._directory)
        return True

    def _mapper_answers(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self._epmd_port), PROBE_SECONDS).close()
        except OSError:
            return False
        return True

    def _serves(self) -> bool:
        """A TLS 1.3 handshake that verifies, and the broker's first AMQP frame."""
        try:
            with (
                socket.create_connection((LOOPBACK, self.port), PROBE_SECONDS) as plain,
                amqp_context(str(self.ca_file), AMQP_TLS_MINIMUM).wrap_socket(plain, server_hostname=LOOPBACK) as secure,
            ):
                secure.sendall(AMQP_HEADER)
                first = secure.recv(16)
        except OSError:
            return False
        return bool(first) and first[0] == METHOD_FRAME
