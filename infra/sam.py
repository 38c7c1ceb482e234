"""The template as plain data, CloudFormation's short forms spelled out, with the functions and the layer that it deploys."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from local_runtime.hosting.manifest import Manifest
from local_runtime.hosting.template import TemplateProblems, read_template
from local_runtime.hosting.template.tree import Node, Report, load_template
from local_runtime.settings import DEFAULT_TEMPLATE
from shared.core.config import Settings

FUNCTION = "AWS::Serverless::Function"
LAYER = "AWS::Serverless::LayerVersion"


@dataclass(frozen=True, slots=True)
class Function:
    """What is deployed as one function; the directory's name is its name."""

    logical_id: str
    directory: Path
    properties: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.directory.name


@dataclass(frozen=True, slots=True)
class Sam:
    """A template; `document` is its whole content as plain data."""

    path: Path
    document: dict[str, Any]

    @property
    def functions(self) -> tuple[Function, ...]:
        """All functions, in the template's order, their properties on top of Globals'."""
        defaults = self.document.get("Globals", {}).get("Function", {})
        return tuple(
            Function(
                name,
                self._directory(resource["Properties"]["CodeUri"]),
                {**defaults, **resource["Properties"]},
                resource.get("Metadata", {}),
            )
            for name, resource in self.document["Resources"].items()
            if resource["Type"] == FUNCTION
        )

    @property
    def manifest(self) -> Manifest:
        """What the local runtime makes of it; raises TemplateProblems."""
        return read_template(self.path, {}, [item.name.upper() for item in fields(Settings)])

    @property
    def layer(self) -> Path:
        """The package that the layer is made of."""
        ((_, properties),) = self.resources(LAYER)
        return self._directory(properties["ContentUri"])

    @property
    def certificates(self) -> Path:
        """Beside the template, where a deployer has put them: CAs for the layer, there /opt/certificates."""
        return self.path.parent / "certificates"

    @property
    def runtime(self) -> str:
        """The runtime that all functions have, e.g. python3.11; where a parameter says which, its default."""
        runtime = self.document["Globals"]["Function"]["Runtime"]
        return str(self._parameter(runtime)["Default"] if isinstance(runtime, dict) else runtime)

    @property
    def runtimes(self) -> tuple[str, ...]:
        """Those that they may be given."""
        runtime = self.document["Globals"]["Function"]["Runtime"]
        return tuple(map(str, self._parameter(runtime)["AllowedValues"])) if isinstance(runtime, dict) else (str(runtime),)

    @property
    def architecture(self) -> str:
        """The architecture that all functions have: arm64 or x86_64."""
        (architecture,) = self.document["Globals"]["Function"]["Architectures"]
        return str(architecture)

    def resources(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """Logical id and properties of the resources of a type."""
        resources = self.document["Resources"].items()
        return [(name, resource["Properties"]) for name, resource in resources if resource["Type"] == kind]

    def _parameter(self, reference: dict[str, Any]) -> dict[str, Any]:
        parameter: dict[str, Any] = self.document["Parameters"][reference["Ref"]]
        return parameter

    def _directory(self, uri: str) -> Path:
        return (self.path.parent / uri).resolve()


def read_sam(path: Path = DEFAULT_TEMPLATE) -> Sam:
    """Read a template; raises TemplateProblems when it is no YAML that CloudFormation takes."""
    report = Report()
    document = _plain(load_template(path, report))
    if report.problems:
        raise TemplateProblems(path, report.problems)
    return Sam(path.resolve(), document)


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {name: _plain(member) for name, member in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(item) for item in node.value]
    return node.value
