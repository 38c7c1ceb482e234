"""The chart in infra/kubernetes: rendered by Helm, and its pods run as processes of this machine."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.api import Api
from tests.support.product import ROOT, Product, clean_environment, new_data_dir

CHART = ROOT / "infra" / "kubernetes" / "scoreboard"
ROLES = ("http", "consumer", "scheduler")
RELEASE, NAMESPACE = "scores", "games"
Manifest = dict[str, Any]
# What a Secret or a ConfigMap holds, by its name and key.
Contents = Mapping[tuple[str, str], str]


def helm(*arguments: str, values: object = None) -> subprocess.CompletedProcess[str]:
    """Run Helm; `values` go in as a file."""
    installed = Path(sys.prefix) / "bin" / "helm"
    program = str(installed) if installed.exists() else shutil.which("helm")
    assert program, "helm is not installed: infra/setup.sh --for-tests installs it"
    given = [] if values is None else ["--values", "-"]
    return subprocess.run(
        [program, *arguments, *given],
        input=None if values is None else yaml.safe_dump(values),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def render(values: object, *options: str) -> list[Manifest]:
    """Every object of a release."""
    return [document for document in yaml.load_all(_rendered(yaml.safe_dump(values), options), yaml.CSafeLoader) if document]


@cache
def _rendered(values: str, options: Sequence[str]) -> str:
    done = helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *options, values=yaml.safe_load(values))
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_kind(manifests: Sequence[Manifest], kind: str) -> dict[str, Manifest]:
    """Those of a kind, by component; of what belongs to all roles the component is empty."""
    return {each["metadata"]["labels"].get("app.kubernetes.io/component", ""): each for each in manifests if each["kind"] == kind}


def pods(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """The templates of all pods, by component."""
    found = {**of_kind(manifests, "Deployment"), **of_kind(manifests, "Job")}
    return {name: each["spec"]["template"] for name, each in found.items()}


class Pod(Product):
    """The one container of a pod: with its arguments and its environment, its volumes in a directory of this machine.

    It listens on a free port of loopback, and the image's entry point is the module that the command `scoreboard` runs.
    """

    def __init__(self, manifest: Manifest, contents: Contents, trusting: ssl.SSLContext) -> None:
        super().__init__(new_data_dir())
        self._spec = manifest["spec"]
        self._trusting = trusting
        self.container: Manifest = self._spec["containers"][0]
        (self.data_dir.parent / "data").mkdir()
        volumes = {volume["name"]: volume for volume in self._spec["volumes"]}
        self._mounts = {
            mount["mountPath"]: self._mount(volumes[mount["name"]], contents) for mount in self.container["volumeMounts"]
        }
        self._environment = {variable["name"]: self._here(variable["value"]) for variable in self.container["env"]}

    def _mount(self, volume: Manifest, contents: Contents) -> Path:
        place: Path = self.data_dir.parent / volume["name"]
        place.mkdir(exist_ok=True)
        sources: list[Manifest] = volume.get("projected", {}).get("sources", [])
        for source in sources:
            ((kind, named),) = source.items()
            assert kind in ("secret", "configMap")
            for item in named["items"]:
                (place / item["path"]).write_text(contents[named["name"], item["key"]])
        for (name, key), content in contents.items():
            if name == volume.get("secret", {}).get("secretName"):
                (place / key).write_text(content)
        return place

    def _here(self, value: str) -> str:
        """A path in the container as it is called on this machine."""
        for path, place in self._mounts.items():
            if value == path or value.startswith(f"{path}/"):
                return f"{place}{value.removeprefix(path)}"
        return value

    def _command(self, *arguments: str) -> list[str]:
        own = self.container["args"] if arguments[0] == "serve" else arguments
        listen = ["--host", "127.0.0.1", "--port", "0"] if arguments[0] == "serve" else []
        return [str(self.python), "-m", "local_runtime", *own, *listen]

    @property
    def api(self) -> Api:
        return Api(self.base_url, self._trusting if self.base_url.startswith("https") else None)

    def run(self) -> subprocess.CompletedProcess[str]:
        """To its end: a Job."""
        return subprocess.run(
            self._command(*self.container["args"]),
            cwd=self.root,
            env={**clean_environment(), **self._environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def probe(self, name: str) -> int:
        """The status that the kubelet gets, from the address of the pod's node."""
        asked = self.container[name]["httpGet"]
        scheme = self.base_url.partition("://")[0]
        assert asked["scheme"].lower() == scheme
        return self.api.get(asked["path"], Host="10.244.1.7:8080").status

    @property
    def grace_seconds(self) -> float:
        """From SIGTERM on until it would be killed, what goes before being taken off."""
        grace: float = self._spec["terminationGracePeriodSeconds"]
        sleep = self.container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        return grace - float(sleep[1])
