"""The services of `infra/containers/compose.yaml`, as an operator sees them."""

from __future__ import annotations

import json
import shutil
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.cluster.engine import Engine, compose_command
from tests.cluster.images import STORES
from tests.support.api import Api
from tests.support.product import ROOT
from tests.support.waiting import eventually

CONTAINERS, MONITORING = ROOT / "infra" / "containers", ROOT / "infra" / "monitoring"
PROJECT = "scoreboard-test"
HEALTHY_SECONDS = 240.0
IMAGES = {f"{name}_IMAGE": STORES for name in ("REDIS", "RABBITMQ", "POSTGRESQL", "CADDY", "PROMETHEUS")}
PROCESSES = """
import json, pathlib
print(json.dumps({p.parent.name: p.read_text().rpartition(")")[2].split()[0] for p in pathlib.Path("/proc").glob("[0-9]*/stat")}))
"""


class Stack:
    """All of its containers; `service` is a name in the compose file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.place = engine.place / "containers"  # a copy, for its secrets, beside one of what it refers to

    @contextmanager
    def up(self) -> Iterator[None]:
        """While they run; nothing of them stays."""
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(CONTAINERS, self.place, ignore=shutil.ignore_patterns("secrets", ".env"))
        shutil.copytree(MONITORING, self.place.with_name(MONITORING.name), dirs_exist_ok=True)
        self._engine.run("sh", str(self.place / "secrets.sh"))
        try:
            self.compose("up", "--detach")
            for service in _without_profile(self.place / "compose.yaml"):
                self.wait_healthy(service)
            self.compose("--profile", "monitoring", "up", "--detach", "prometheus")
            self.wait_healthy("prometheus")
            yield
        except BaseException:
            self._keep_logs()
            raise
        finally:
            self.compose("--profile", "monitoring", "down", "--volumes", "--timeout", "30")

    def compose(self, *arguments: str) -> str:
        """Compose on this stack."""
        files = ("--project-name", PROJECT, "--file", str(self.place / "compose.yaml"))
        return self._engine.run(*compose_command(), *files, *arguments, environment=IMAGES)

    def container(self, service: str) -> str:
        """Its container's id, whether it runs or not."""
        labels = [f"label=com.docker.compose.project={PROJECT}", f"label=com.docker.compose.service={service}"]
        filters = [word for label in labels for word in ("--filter", label)]
        return self._engine.run("docker", "ps", "--all", "--quiet", *filters).strip()

    def state(self, service: str) -> dict[str, Any]:
        """State of its container, as the engine has it."""
        inspected = self._engine.run("docker", "inspect", "--format", "{{json .State}}", self.container(service))
        found: dict[str, Any] = json.loads(inspected)
        return found

    def is_healthy(self, service: str) -> bool:
        """What its health check says."""
        return bool(self.state(service).get("Health", {}).get("Status") == "healthy")

    def wait_healthy(self, service: str) -> None:
        """Wait for its health check to pass."""
        eventually(lambda: self.is_healthy(service), HEALTHY_SECONDS, f"{service} is healthy")

    def execute(self, service: str, *command: str) -> str:
        """Run a command in its container; returns what it printed."""
        return self._engine.run("docker", "exec", self.container(service), *command)

    def kill(self, service: str) -> None:
        """SIGKILL, to everything in it."""
        self._engine.run("docker", "kill", self.container(service))

    def start(self, service: str) -> None:
        """Start its container again."""
        self._engine.run("docker", "start", self.container(service))

    def stop(self, service: str) -> tuple[int, float]:
        """SIGTERM; returns the exit code, and the seconds until the end."""
        began = time.monotonic()
        self._engine.run("docker", "stop", "--time", "30", self.container(service))
        return int(self.state(service)["ExitCode"]), time.monotonic() - began

    def start_seconds(self, service: str) -> float:
        """Between the start of its container and the line that says it is ready."""
        container, started_at = self.container(service), self.state(service)["StartedAt"]

        def ready_at() -> str:
            lines = self._engine.run("docker", "logs", "--timestamps", "--since", started_at, container).splitlines()
            return next((at for at, _, line in (one.partition(" ") for one in lines) if line.startswith("ready: ")), "")

        at = eventually(ready_at, HEALTHY_SECONDS, f"{service} is ready")
        return (_instant(at) - _instant(started_at)).total_seconds()

    def primary_redis(self) -> str:
        """The service that the Sentinels call the primary."""
        ask = "REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli -p 26379 sentinel get-master-addr-by-name scoreboard"
        address = self.execute("sentinel-3", "sh", "-c", ask).split()[0]
        return {"11": "redis-1", "12": "redis-2"}[address.rpartition(".")[2]]

    def leading_broker(self, queue: str) -> str:
        """The service whose broker leads this queue."""
        lines = self.execute("rabbitmq-1", "rabbitmqctl", "--quiet", "list_queues", "--no-table-headers", "name", "leader")
        leaders = dict(line.split("\t") for line in lines.splitlines() if "\t" in line)
        return leaders[queue].partition("@")[2]

    def metrics(self, query: str) -> dict[str, float]:
        """What Prometheus answers to a query, by instance."""
        url = f"http://127.0.0.1:9090/api/v1/query?{urlencode({'query': query})}"
        found = json.loads(self.execute("prometheus", "wget", "-q", "-O", "-", url))["data"]["result"]
        return {each["metric"].get("instance", ""): float(each["value"][1]) for each in found}

    def states_of_processes(self, service: str) -> dict[str, str]:
        """By pid in the container; Z is one that nobody has reaped."""
        states: dict[str, str] = json.loads(self.execute(service, "python3", "-c", PROCESSES))
        return states

    def api(self) -> Api:
        """The proxy, as a client that trusts its certificate authority."""
        authority = self.execute("proxy", "cat", "/srv/caddy/caddy/pki/authorities/local/root.crt")
        return Api("https://localhost", ssl.create_default_context(cadata=authority))

    def _keep_logs(self) -> None:
        Path(self._engine.place / "compose.log").write_text(self.compose("logs", "--no-color"))


def _without_profile(file: Path) -> list[str]:
    """The services that come with all the others."""
    services: dict[str, Any] = yaml.safe_load(file.read_text())["services"]
    return [name for name, service in services.items() if "profiles" not in service]


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "")[:26])
