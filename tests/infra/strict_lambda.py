"""Lambda as moto has it but as strict as AWS: revisions are held against each other, and code must be a zip."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

Answer = tuple[Any, str | None]


class StrictLambda:
    """A client of Lambda. `answer` stands in for the functions: qualifier and event become a value and perhaps an error."""

    def __init__(self, moto: Any, answer: Callable[[str, dict[str, Any]], Answer]) -> None:
        self._moto = moto
        self._answer = answer
        self._revisions: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []
        self.before: dict[str, Callable[[], None]] = {}

    def get_function_configuration(self, FunctionName: str, **arguments: str) -> dict[str, Any]:  # noqa: N803 - botocore's names
        found = self._moto.get_function_configuration(FunctionName=FunctionName, **arguments)
        return {**found, "RevisionId": self._revision(FunctionName, arguments.get("Qualifier", "$LATEST"))}

    def get_alias(self, FunctionName: str, Name: str) -> dict[str, Any]:  # noqa: N803
        found = self._moto.get_alias(FunctionName=FunctionName, Name=Name)
        return {**found, "RevisionId": self._revision(FunctionName, Name)}

    def update_function_code(self, FunctionName: str, ZipFile: bytes, RevisionId: str, Publish: bool) -> dict[str, Any]:  # noqa: N803
        self._note("update_function_code")
        self._check(FunctionName, "$LATEST", RevisionId)
        if not zipfile.is_zipfile(io.BytesIO(ZipFile)):
            raise _error("InvalidParameterValueException", "Could not unzip uploaded file.")
        self.touch(FunctionName, "$LATEST")
        return dict(self._moto.update_function_code(FunctionName=FunctionName, ZipFile=ZipFile, Publish=Publish))

    def publish_version(self, FunctionName: str, CodeSha256: str, RevisionId: str) -> dict[str, Any]:  # noqa: N803
        self._note("publish_version")
        self._check(FunctionName, "$LATEST", RevisionId)
        if self._moto.get_function_configuration(FunctionName=FunctionName)["CodeSha256"] != CodeSha256:
            raise _error("InvalidParameterValueException", "CodeSHA256 is different from current CodeSHA256.")
        return dict(self._moto.publish_version(FunctionName=FunctionName))

    def update_alias(self, FunctionName: str, Name: str, FunctionVersion: str, RevisionId: str) -> dict[str, Any]:  # noqa: N803
        self._note(f"update_alias {FunctionVersion}")
        self._check(FunctionName, Name, RevisionId)
        self._moto.update_alias(FunctionName=FunctionName, Name=Name, FunctionVersion=FunctionVersion)
        self.touch(FunctionName, Name)
        return self.get_alias(FunctionName, Name)

    def invoke(self, FunctionName: str, Qualifier: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self._note(f"invoke {Qualifier}")
        value, error = self._answer(Qualifier, json.loads(Payload))
        return {"Payload": io.BytesIO(json.dumps(value).encode()), **({"FunctionError": error} if error else {})}

    def get_waiter(self, name: str) -> Any:
        return self._moto.get_waiter(name)

    def touch(self, name: str, what: str) -> None:
        """Somebody has changed it."""
        self._revisions[name, what] = str(uuid.uuid4())

    def _revision(self, name: str, what: str) -> str:
        return self._revisions.setdefault((name, what), str(uuid.uuid4()))

    def _check(self, name: str, what: str, revision_id: str) -> None:
        if revision_id != self._revision(name, what):
            raise _error("PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id.")

    def _note(self, call: str) -> None:
        self.before.get(call, lambda: None)()
        self.calls.append(call)


class Stacks:
    """A client of CloudFormation that knows the functions of one stack, by logical id."""

    def __init__(self, name: str, functions: dict[str, str]) -> None:
        self._name = name
        self._functions = functions

    def describe_stack_resource(self, StackName: str, LogicalResourceId: str) -> dict[str, Any]:  # noqa: N803
        if StackName != self._name or LogicalResourceId not in self._functions:
            raise _error("ValidationError", f"Resource {LogicalResourceId} does not exist for stack {StackName}")
        return {"StackResourceDetail": {"PhysicalResourceId": self._functions[LogicalResourceId]}}


def _error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "")
