"""The functions' environment variables: their names, their values, and that functions of one process agree on them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from local_runtime.manifest import Function
from local_runtime.template.fields import Fields, Reading
from local_runtime.template.intrinsics import Unresolved, text_of
from local_runtime.template.tree import Node

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
