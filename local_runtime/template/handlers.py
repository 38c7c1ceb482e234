"""Where a function's code is, and whether there is a handler in it: looked at, never imported."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from local_runtime.template.fields import Fields, Reading
from local_runtime.template.resources import Resource
from local_runtime.template.tree import Node

_HANDLER = re.compile(r"([A-Za-z_]\w*(?:/[A-Za-z_]\w*)*)\.([A-Za-z_]\w*)", re.ASCII)


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
