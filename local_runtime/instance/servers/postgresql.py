"""A private PostgreSQL: fully durable, password over loopback, never running as root."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from signal import SIGINT

from local_runtime.instance.question import Question
from local_runtime.instance.servers import programs
from local_runtime.instance.servers.memory import Shares, own_shares
from local_runtime.instance.servers.ports import LOOPBACK, remembered_port
from local_runtime.instance.servers.postgresql_orphans import Orphans
from local_runtime.instance.servers.postgresql_place import PostgreSQLError, account_entry, find_place, own_all
from local_runtime.instance.servers.room import MEGABYTE
from local_runtime.instance.servers.unwritten import cut_unwritten
from local_runtime.instance.supervisor.process import ProcessSpec

SUPERUSER = "postgres"  # without a password once the cluster is made, so that nothing gets in as this role over a socket
USER = "scoreboard"  # owns the database and the tables
FUNCTIONS_USER = "scoreboard_functions"
DATABASE = "scoreboard"
ACCOUNT = "postgres"
ROLES_FILE = "scoreboard.roles"  # in the cluster: which ROLES were set up in it
ROLES = "2"  # two roles, and a superuser without a password; empty: the superuser has the owner's password
SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # answered with one byte, before anybody has to say who they are
INCLUDE = "include 'scoreboard.conf'\n"  # the last line of postgresql.conf
PREPARE_SECONDS = 60.0


class PrivatePostgreSQL:
    """PostgreSQL under `<data_dir>/postgresql`; `prepare` it, then start its `specs`.

    PostgreSQL refuses to run as root, so root drops to the account `postgres`. Where that account cannot reach the data
    directory (a parent is private), the cluster is kept under /var/lib/scoreboard and linked to. (A user namespace, in
    which root looks like somebody else, would reach it, but most containers forbid them, and it would still be root.)
    """

    def __init__(self, data_dir: Path, password: str, memory: Shares | None = None) -> None:
        self._memory = memory or own_shares()
        self._link = data_dir / "postgresql"
        self._password = password
        self._account = ACCOUNT if os.geteuid() == 0 else None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it answers the owner of the tables; valid after prepare()."""
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def functions_url(self) -> str:
        """Where it answers the functions, who own nothing and may do what they were granted; valid after prepare()."""
        return f"postgresql://{FUNCTIONS_USER}:{self._functions_password}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def _functions_password(self) -> str:
        """Made of the owner's, in the one direction that there is: who has this one has not the other."""
        return hmac.digest(self._password.encode(), FUNCTIONS_USER.encode(), "sha256").hex()

    @property
    def _cluster(self) -> Path:
        return self._link.resolve() / "cluster"

    @property
    def _made_by(self) -> str:
        return major_version(self._cluster)

    @property
    def _program(self) -> Path:
        return find_server(self._cluster) or programs.POSTGRES.require()

    def prepare(self) -> None:
        """Make the cluster with its user and database when there is none, write the configuration; idempotent."""
        directory = find_place(self._link, self._account)
        if self._account is not None:
            own_all(directory, self._account)
        Orphans(self._cluster).end()
        self.port = remembered_port(directory / "port")
        if not self._made_by:
            self._make_cluster()
        self._see_that_it_can_be_read()
        self._drop_stale_pid_file()
        _include_ours(self._cluster)
        (self._cluster / "scoreboard.conf").write_text(
            f"""listen_addresses = '{LOOPBACK}'
port = {self.port}
unix_socket_directories = ''
password_encryption = scram-sha-256
timezone = 'UTC'
log_timezone = 'UTC'
max_connections = 400
shared_buffers = {self._memory.postgresql_buffers}MB
effective_cache_size = {self._memory.postgresql_cache}MB
maintenance_work_mem = {self._memory.postgresql_maintenance}MB
wal_level = minimal
max_wal_senders = 0
max_logical_replication_workers = 0
max_wal_size = {_max_wal_megabytes(directory)}MB
checkpoint_completion_target = 0.9
fsync = on
synchronous_commit = on
full_page_writes = on
jit = off
log_min_messages = warning
"""
        )
        self._set_up_roles(self._cluster)

    def specs(self) -> tuple[ProcessSpec, ...]:
        """The one process (the postmaster)."""
        return (
            ProcessSpec(
                name="postgresql",
                argv=(
                    str(self._program),
                    "-D",
                    str(self._cluster),
                    "-c",
                    f"config_file={self._cluster / 'postgresql.conf'}",
                ),
                env=self._environment(),
                cwd=self._link.resolve(),
                user=self._account,
                log_file=self._link.resolve() / "postgresql.log",
                probe=self._serves,
                may_start=Orphans(self._cluster).have_gone,
                answers=Question(LOOPBACK, self.port, SSL_REQUEST),
                stop_signal=SIGINT,  # "fast": ends sessions, writes a checkpoint
                stop_timeout_seconds=8.0,
            ),
        )

    def _see_that_it_can_be_read(self) -> None:
        """PostgreSQL reads the data of its own major version only."""
        version, made_by = programs.POSTGRES.version(self._program), self._made_by
        if version and version.partition(".")[0] != made_by:
            raise PostgreSQLError(
                f"the data in {self._cluster} is PostgreSQL {made_by}'s, and this machine has {version}: install PostgreSQL "
                f"{made_by} beside it, bring the data over with pg_upgrade, or begin anew with another --data-dir"
            )

    def _drop_stale_pid_file(self) -> None:
        """A machine that crashed leaves a pid that another program may have by now; PostgreSQL would take that for itself."""
        pid_file = self._cluster / "postmaster.pid"
        with suppress(OSError, ValueError):  # no such file or process, or none that PostgreSQL would be misled by
            pid = int(pid_file.read_text().partition("\n")[0])
            if not Path(f"/proc/{pid}/cwd").samefile(self._cluster):
                pid_file.unlink()

    def _make_cluster(self) -> None:
        cluster = self._cluster
        if (cluster / "global").exists():
            raise PostgreSQLError(
                f"the data in {cluster} is damaged (it has no PG_VERSION): restore a backup with "
                "`scoreboard restore`, or begin anew with another --data-dir"
            )
        if cluster.exists():
            shutil.rmtree(cluster)  # begun, never finished
        unfinished = cluster.with_name("cluster.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", prefix="scoreboard-") as password_file:
            password_file.write(secrets.token_hex(24))  # initdb wants one; _set_up_roles takes it away again
            password_file.flush()
            self._own(Path(password_file.name))
            self._run(
                str(programs.INITDB.require()),
                "--pgdata",
                str(unfinished),
                "--username",
                SUPERUSER,
                "--auth=scram-sha-256",
                "--pwfile",
                password_file.name,
                "--encoding=UTF8",
                "--locale=C",
            )
        _include_ours(unfinished)
        (unfinished / "scoreboard.conf").touch()
        self._own(unfinished / "scoreboard.conf")
        self._execute(
            unfinished,
            f"CREATE ROLE {USER} LOGIN PASSWORD '{self._password}'",
            f"CREATE DATABASE {DATABASE} OWNER {USER} ENCODING 'UTF8'",
        )
        self._set_up_roles(unfinished)
        unfinished.rename(cluster)

    def _set_up_roles(self, cluster: Path) -> None:
        """The functions' role, and a superuser that no password opens; also in a cluster made by an earlier version."""
        marker = cluster / ROLES_FILE
        if marker.exists() and marker.read_text() == ROLES:
            return
        self._execute(
            cluster,
            f"DO $$ BEGIN CREATE ROLE {FUNCTIONS_USER}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"ALTER ROLE {FUNCTIONS_USER} LOGIN PASSWORD '{self._functions_password}'",
            f"ALTER ROLE {SUPERUSER} PASSWORD NULL",
        )
        marker.write_text(ROLES)
        self._own(marker)

    def _execute(self, cluster: Path, *statements: str) -> None:
        """Run statements as the superuser while no server runs; none of them is told when it fails, for there are passwords."""
        options = ("-D", str(cluster), "-c", "log_min_error_statement=panic", "postgres")
        stdin = "".join(f"{statement};\n" for statement in statements)
        self._run(str(self._program), "--single", *options, stdin=stdin)

    def _run(self, *argv: str, stdin: str = "") -> None:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PREPARE_SECONDS,
            cwd=self._link.resolve(),
            env=self._environment(),
            user=self._account,
            group=self._account,
            extra_groups=[] if self._account else None,
            check=False,
        )
        if done.returncode != 0 or "FATAL:" in done.stderr or "ERROR:" in done.stderr:
            raise PostgreSQLError(f"{Path(argv[0]).name} failed:\n{done.stdout}{done.stderr}".strip())

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def _own(self, path: Path) -> None:
        if self._account is not None:
            entry = account_entry(self._account)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _serves(self) -> bool:
        import pg8000.native

        try:
            pg8000.native.Connection(
                USER, host=LOOPBACK, port=self.port, database=DATABASE, password=self._password, timeout=1, ssl_context=False
            ).close()
        except (pg8000.native.InterfaceError, pg8000.native.DatabaseError, OSError):
            return False
        return True


def _include_ours(cluster: Path) -> None:
    """Whatever the machine died of before: initdb syncs what it has written, but that is before our line."""
    path = cluster / "postgresql.conf"
    cut_unwritten(path)
    text = path.read_text()
    if INCLUDE not in text:
        with path.open("a") as configuration:
            configuration.truncate(len(text[: text.rfind("\n") + 1].encode()))  # of our line a part may be there
            configuration.write(INCLUDE)
            configuration.flush()
            os.fsync(configuration.fileno())


def major_version(cluster: Path) -> str:
    """Of the PostgreSQL that made the cluster; empty where there is none yet."""
    file = cluster / "PG_VERSION"
    return file.read_text().strip() if file.exists() else ""


def shared_memory_type(data_dir: Path) -> str:
    """How the processes of this data directory's PostgreSQL share memory; empty where there is none yet, or it cannot be read."""
    try:
        text = (data_dir / "postgresql" / "cluster" / "postgresql.conf").read_text(errors="replace")
    except OSError:
        return ""
    found = re.findall(r"^\s*dynamic_shared_memory_type\s*=\s*'?(\w+)", text, re.MULTILINE)
    return found[-1] if found else "posix"


def find_server(cluster: Path) -> Path | None:
    """The program that made the cluster, where several versions are installed side by side; else the newest."""
    made_by = major_version(cluster)
    return (programs.POSTGRES.find_major(made_by) if made_by else None) or programs.POSTGRES.find()


def _max_wal_megabytes(place: Path) -> int:
    """Between two checkpoints: 2 GB, but of a small disk no more than a sixteenth."""
    return max(64, min(2048, shutil.disk_usage(place).total // MEGABYTE // 16))
