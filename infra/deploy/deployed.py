"""What is deployed now: a function's newest code and configuration, and the version its alias points to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.deploy.aws import aws
from local_runtime.cli.errors import CliError

# What a version fixes besides its code.
_CONFIGURATION = ("Environment", "Handler", "Layers", "LoggingConfig", "MemorySize", "Role", "Runtime", "Timeout", "VpcConfig")


@dataclass(frozen=True, slots=True)
class Deployed:
    """A function as it is. `is_published`: the alias's version has the newest code and configuration."""

    name: str
    alias: str
    runtime: str
    architecture: str
    code_sha256: str
    revision_id: str
    version: str
    version_code_sha256: str
    alias_revision_id: str
    is_published: bool

    def serves(self, code_sha256: str) -> bool:
        """Whether the alias serves this code, configured as the function now is."""
        return self.is_published and code_sha256 == self.version_code_sha256


def look_at(client: Any, name: str, alias: str) -> Deployed:
    """Read it; CliError when it does not exist, is being changed, or is being rolled out gradually."""
    with aws(f"reading {name}"):
        newest = client.get_function_configuration(FunctionName=name)
    with aws(f"reading the alias {alias} of {name}"):
        pointer = client.get_alias(FunctionName=name, Name=alias)
    with aws(f"reading version {pointer['FunctionVersion']} of {name}"):
        live = client.get_function_configuration(FunctionName=name, Qualifier=pointer["FunctionVersion"])
    if newest.get("LastUpdateStatus", "Successful") == "InProgress":
        raise CliError(f"{name}: another update is under way: wait for its end, then try again")
    if pointer.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
        raise CliError(f"{name}: the alias {alias} is shared by two versions; end that rollout first")
    return Deployed(
        name=name,
        alias=alias,
        runtime=newest["Runtime"],
        architecture=newest.get("Architectures", ["x86_64"])[0],
        code_sha256=newest["CodeSha256"],
        revision_id=newest["RevisionId"],
        version=pointer["FunctionVersion"],
        version_code_sha256=live["CodeSha256"],
        alias_revision_id=pointer["RevisionId"],
        is_published=newest["CodeSha256"] == live["CodeSha256"] and _configuration(newest) == _configuration(live),
    )


def _configuration(found: dict[str, Any]) -> dict[str, Any]:
    return {key: found.get(key) for key in _CONFIGURATION}
