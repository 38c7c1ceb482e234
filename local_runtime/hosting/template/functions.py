"""AWS::Serverless::Function and LayerVersion: code, handler, limits and variables of a function."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from local_runtime.hosting.manifest import Function
from local_runtime.hosting.template.fields import Fields, Reading
from local_runtime.hosting.template.intrinsics import Unresolved, text_of
from local_runtime.hosting.template.resources import LAYER, Resource
from local_runtime.hosting.template.tree import Node

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_MAX_BYTES = 4096
_RESERVED = frozenset(
    [
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    ]
)
# Lambda allows these, but here they are the whole process's, and set before a function has a say.
_THE_PROCESS_OWN = frozenset(("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TZ"))
_HANDLER = re.compile(r"([A-Za-z_]\w*(?:/[A-Za-z_]\w*)*)\.([A-Za-z_]\w*)", re.ASCII)
_LAYER_WITHOUT_EFFECT = frozenset(
    ("CompatibleArchitectures", "CompatibleRuntimes", "Description", "LayerName", "LicenseInfo", "RetentionPolicy")
)
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


def read_environment(fields: Fields, reading: Reading) -> dict[str, str]:
    """The variables that can be known here; of those the instance provides the value may be anything."""
    environment = fields.fields("Environment", "function's Environment")
    if environment is None:
        return {}
    node = environment.node("Variables")
    environment.finish()
    values: dict[str, str] = {}
    for name, member in node.members.items() if node else ():
        if not _NAME.fullmatch(name):
            reading.report.add(member, "is no name of an environment variable", "letters, digits and _, a letter first")
        elif name in _RESERVED or name in _THE_PROCESS_OWN:
            reading.report.add(member, f"{name} is reserved for {'Lambda' if name in _RESERVED else 'the process itself'}")
        else:
            values |= _value(name, member, reading)
    if node and sum(len(name) + len(value.encode()) for name, value in values.items()) > _MAX_BYTES:
        reading.report.add(node, f"are together larger than Lambda's {_MAX_BYTES} bytes")
    return values


def _value(name: str, node: Node, reading: Reading) -> dict[str, str]:
    try:
        value = reading.resolver.resolve(node)
    except Unresolved as error:
        if name not in reading.provided and not reading.report.mentions(node):
            reading.report.add(node, f"cannot be worked out on this machine: {error}", f"set {name} in the environment")
        return {}
    if isinstance(value, dict | list):
        reading.report.add(node, "is no text")
        return {}
    return {name: text_of(value)}


def check_agreement(functions: Iterable[Function], reading: Reading) -> None:
    """One process hosts many functions and has one environment: a variable cannot have two values in it."""
    seen: dict[str, tuple[str, str]] = {}
    for function in functions:
        for name, value in function.environment.items():
            first, agreed = seen.setdefault(name, (function.logical_id, value))
            if value != agreed and name not in reading.provided:
                message = f"{name} has one value here and another in {first}, but both are hosted in one process"
                reading.report.add(_place(function.logical_id, name, reading), message)


def _place(logical_id: str, name: str, reading: Reading) -> Node:
    node = reading.resources[logical_id]
    path = ["Properties", "Environment", "Variables", name]
    for part in path:
        node = node.members.get(part, node)
    return Node(None, ("Resources", logical_id, *path), node.line)


def read_directory(resource: Resource, fields: Fields, reading: Reading) -> Path | None:
    """The directory of CodeUri, which carries the function's name."""
    node = fields.node("CodeUri", required=True)
    uri = None if node is None else reading.value(node)
    if node is None or uri is None:
        return None
    if not isinstance(uri, str):
        reading.report.add(node, "is no local directory", "a path from the template's directory")
        return None
    directory = (reading.directory / uri).resolve()
    if not directory.is_dir():
        reading.report.add(node, f"there is no directory {uri}")
        return None
    wanted = "".join(part.capitalize() for part in directory.name.split("_"))
    if wanted != resource.logical_id:
        reading.report.add(node, f"the directory {directory.name} belongs to the logical id {wanted}")
    return directory


def read_handler(resource: Resource, fields: Fields, directory: Path | None, reading: Reading) -> str:
    """The handler, `module.attribute`, which must be there."""
    node = fields.node("Handler", required=True)
    handler = None if node is None else reading.value(node)
    if node is None or handler is None:
        return ""
    match = _HANDLER.fullmatch(str(handler))
    if match is None:
        reading.report.add(node, f"is {handler!r}", "module.attribute, e.g. handler.lambda_handler")
    elif directory is not None:
        # Globals may name the handler, but it is this function that has none.
        place = Node(None, (*resource.properties.path, "Handler"), resource.properties.line)
        _check(directory / f"{match[1]}.py", match[2], place, reading)
    return str(handler)


def _check(path: Path, attribute: str, node: Node, reading: Reading) -> None:
    shown = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        reading.report.add(node, f"there is no file {shown}")
        return
    try:
        module = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        reading.report.add(node, f"{shown} is no Python that this interpreter reads: {error}")
        return
    definitions = _definitions(module.body)
    if attribute not in definitions:
        reading.report.add(node, f"{shown} does not define {attribute}")
    elif isinstance(definitions[attribute], ast.AsyncFunctionDef):
        reading.report.add(node, f"{attribute} in {shown} is a coroutine function, which Lambda does not call")


def _definitions(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """The names a module has after its import, with the statement that makes them."""
    found: dict[str, ast.stmt] = {}
    for statement in body:
        for name in _names(statement):
            found[name] = statement
        for block in ("body", "orelse", "finalbody"):
            if isinstance(statement, ast.If | ast.Try | ast.With):
                found |= _definitions(getattr(statement, block, []))
    return found


def _names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in statement.names]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def read_layer(resource: Resource, reading: Reading) -> Path | None:
    """The directory on the import path: ContentUri's `python`, or, when ContentUri is a package itself, the one it lies in.

    In the cloud a layer's `python` directory is on the path; packaging puts the package there.
    """
    fields = Fields(resource.properties, reading, "layer")
    node = fields.node("ContentUri", required=True)
    uri = None if node is None else reading.value(node)
    fields.without_effect(_LAYER_WITHOUT_EFFECT)
    fields.finish()
    if node is None or uri is None:
        return None
    content = (reading.directory / str(uri)).resolve()
    if not isinstance(uri, str) or not content.is_dir():
        reading.report.add(node, f"there is no directory {uri}", "a path from the template's directory")
    elif (content / "python").is_dir():
        return content / "python"
    elif (content / "__init__.py").is_file():
        return content.parent
    else:
        reading.report.add(node, f"nothing in {uri} can be imported", "a package, or a directory with `python` in it")
    return None


def read_layer_references(fields: Fields, reading: Reading) -> None:
    """A function's Layers, each a `!Ref` of a layer of this template."""
    layers = fields.node("Layers")
    for item in layers.items if layers else ():
        name, argument = item.intrinsic() or ("", item)
        target = reading.resources.get(argument.text, Node(None))
        if name != "Ref" or target.member("Type").text != LAYER:
            reading.report.add(item, "is no layer of this template", f"!Ref of an {LAYER}")


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
        serve_on_every_instance=resource.serve_on_every_instance,
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
