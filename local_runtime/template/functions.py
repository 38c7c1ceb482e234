"""AWS::Serverless::Function: its code, limits and variables; its events are read by their own modules."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from local_runtime.manifest import Function
from local_runtime.template.environment import read_environment
from local_runtime.template.fields import Fields, Reading
from local_runtime.template.handlers import read_directory, read_handler
from local_runtime.template.layers import read_layer_references
from local_runtime.template.resources import Resource
from local_runtime.template.tree import Node

RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14")
_WITHOUT_EFFECT = frozenset(
    [
        "Architectures",
        "AssumeRolePolicyDocument",
        "AutoPublishAlias",
        "AutoPublishAliasAllProperties",
        "DeadLetterQueue",
        "DeploymentPreference",
        "Description",
        "EphemeralStorage",
        "EventInvokeConfig",
        "FunctionName",
        "KmsKeyArn",
        "LoggingConfig",
        "PermissionsBoundary",
        "Policies",
        "PropagateTags",
        "ProvisionedConcurrencyConfig",
        "ReservedConcurrentExecutions",
        "Role",
        "RolePath",
        "RuntimeManagementConfig",
        "SnapStart",
        "Tags",
        "Tracing",
        "VersionDescription",
        "VpcConfig",
    ]
)
IN_GLOBALS = _WITHOUT_EFFECT - {"FunctionName", "Policies", "Role"} | {
    "CodeUri",
    "Environment",
    "Handler",
    "Layers",
    "MemorySize",
    "Runtime",
    "Timeout",
}


@dataclass(frozen=True, slots=True)
class DeclaredFunction:
    """A function with its events still to be read."""

    function: Function
    events: Node | None


def read_function(resource: Resource, defaults: Node, reading: Reading) -> DeclaredFunction:
    """Read the function; `defaults` is Globals.Function. What is wrong has a stand-in, so that its events are read, too."""
    fields = Fields(defaults.merged(resource.properties), reading, "function")
    directory = read_directory(resource, fields, reading)
    _check_runtime(fields, reading)
    read_layer_references(fields, reading)
    function = Function(
        logical_id=resource.logical_id,
        name=directory.name if directory else resource.logical_id,
        directory=directory or Path(),
        handler=read_handler(resource, fields, directory, reading),
        timeout_seconds=fields.integer("Timeout", 1, 900, default=3),
        memory_mb=fields.integer("MemorySize", 128, 10240, default=128),
        environment=read_environment(fields, reading),
        invoke_at_start=resource.invoke_at_start,
        invoke_on_scrape=resource.invoke_on_scrape,
        invoke_when_queue_missing=resource.invoke_when_queue_missing,
        invoke_for_leases=resource.invoke_for_leases,
        schedule_on_every_instance=resource.schedule_on_every_instance,
    )
    events = fields.node("Events")
    fields.without_effect(_WITHOUT_EFFECT)
    fields.finish()
    return DeclaredFunction(function, events)


def _check_runtime(fields: Fields, reading: Reading) -> None:
    node = fields.node("Runtime", required=True)
    runtime = None if node is None else reading.value(node)
    if node is None or runtime is None:
        return
    major, minor = sys.version_info[:2]
    # A newer interpreter than the cloud's reads what is written for the cloud's; an older one does not.
    readable = [name for name in RUNTIMES if int(name.removeprefix("python3.")) <= minor]
    if runtime not in readable:
        reading.report.add(node, f"is {runtime!r}, and this is Python {major}.{minor}", ", ".join(readable))
