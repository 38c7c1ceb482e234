"""A real Prometheus that watches a running product, with the project's own rules, their times made short."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from local_runtime.instance.servers.ports import free_port
from tests.monitoring.rules import PROMETHEUS
from tests.support.waiting import eventually

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
FASTER = 60
SCRAPE_SECONDS = 4  # /metrics waits 3 s for a store that hangs
SHORTEST_SECONDS = 3 * SCRAPE_SECONDS + 1
# Ages that no test waits for. An alert whose limit is not shortened here stands as it is.
AGES = {"OutboxOld": ("> 150", "> 3")}


def shortened(rules: dict[str, Any]) -> dict[str, Any]:
    """The same rules for a test: windows, waits and ages are short, nothing else is changed."""
    for group in rules["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            rule["expr"] = re.sub(r"(\[|offset )(\d+)([smhd])", _short, rule["expr"])
            if "for" in rule:
                rule["for"] = "1s"
            if rule.get("alert") in AGES:
                before, after = AGES[rule["alert"]]
                assert before in rule["expr"]
                rule["expr"] = rule["expr"].replace(before, after)
    return rules


def _short(found: re.Match[str]) -> str:
    return f"{found[1]}{max(SHORTEST_SECONDS, int(found[2]) * SECONDS[found[3]] // FASTER)}s"


@dataclass(frozen=True, slots=True)
class Series:
    """One line of an answer: its labels and its points of (time, value)."""

    labels: dict[str, str]
    points: list[tuple[float, float]]

    @property
    def known(self) -> list[tuple[float, float]]:
        """The points that say something: nothing divided by nothing does not."""
        return [point for point in self.points if math.isfinite(point[1])]


class Prometheus:
    """The server as a child process; it scrapes `target` as remote.yml says, with what an operator adds."""

    def __init__(self, directory: Path, target: str, token: str, ca_file: Path) -> None:
        self._directory = directory
        self._target = target
        self._given = {"metrics-token": token, "scoreboard-ca.pem": ca_file.read_text()}
        self._url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self.began_at = 0.0

    def __enter__(self) -> Self:
        shutil.copytree(PROMETHEUS, self._directory, dirs_exist_ok=True)
        for path in (self._directory / "rules").glob("*.yml"):
            path.write_text(yaml.safe_dump(shortened(yaml.safe_load(path.read_text())), sort_keys=False))
        for name, content in self._given.items():
            (self._directory / name).write_text(content)
        config = self._directory / "remote.yml"
        settings = yaml.safe_load(config.read_text())
        settings["global"] = {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": "1s"}
        settings["scrape_configs"][0].update(scrape_timeout=f"{SCRAPE_SECONDS}s", static_configs=[{"targets": [self._target]}])
        config.write_text(yaml.safe_dump(settings))
        address = f"127.0.0.1:{free_port()}"
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self._directory / 'data'}"]
        command += [f"--web.listen-address={address}", "--log.level=warn"]
        self._url = f"http://{address}"
        self._process = subprocess.Popen(command, cwd=self._directory)
        try:
            eventually(self._is_ready, 60, "Prometheus ready")
        except AssertionError:
            self.__exit__()
            raise
        self.began_at = time.time()
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "Prometheus has ended"
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=30):
                return True
        except OSError:
            return False

    def query(self, expr: str) -> list[Series]:
        """What an expression is now; AssertionError when Prometheus does not accept it."""
        return [_series(each, [each["value"]]) for each in self._get("query", query=expr)["result"]]

    def query_range(self, expr: str) -> list[Series]:
        """What it was each second since the beginning."""
        found = self._get("query_range", query=expr, start=self.began_at, end=time.time(), step=1)
        return [_series(each, each["values"]) for each in found["result"]]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, how it fares, and of an alert what it says."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def firing(self) -> set[str]:
        """The alerts that fire."""
        return {alert["labels"]["alertname"] for alert in self._get("alerts")["alerts"] if alert["state"] == "firing"}

    def _get(self, path: str, **parameters: object) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(
                f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=30
            ) as response:
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        found: dict[str, Any] = answer["data"]
        return found


def _series(found: dict[str, Any], points: list[tuple[float, str]]) -> Series:
    return Series(found["metric"], [(when, float(value)) for when, value in points])
