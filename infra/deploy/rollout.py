"""The steps of a deployment: new code serves nobody before it has answered once, and what fails changes nothing for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import WaiterError

from infra.deploy.aws import aws
from infra.deploy.deployed import Deployed
from infra.deploy.smoke import failure
from infra.package.artefact import Artefact
from local_runtime.cli.errors import CliError

EXIT_UNCLEAR = 3
_PATIENCE = {"Delay": 1, "MaxAttempts": 180}


class Rollout:
    """One function's way from an artefact to its alias. `say` is told of each step."""

    def __init__(self, client: Any, deployed: Deployed, event: dict[str, Any], say: Callable[[str], None]) -> None:
        self._client = client
        self._deployed = deployed
        self._event = json.dumps(event).encode()
        self._say = say

    def run(self, artefact: Artefact) -> str:
        """Deploy; answer the new version. CliError: the alias points where it pointed, unless the exit code is EXIT_UNCLEAR."""
        revision_id = self._update_code(artefact)
        version = self._publish(artefact, revision_id)
        self._try_out(version, f"version {version}")
        self._serve(version)
        return version

    def _update_code(self, artefact: Artefact) -> str:
        name = self._deployed.name
        with aws(f"updating the code of {name}"):
            updated = self._client.update_function_code(
                FunctionName=name, ZipFile=artefact.zip, RevisionId=self._deployed.revision_id, Publish=False
            )
        self._same_code(updated["CodeSha256"], artefact)
        self._wait("function_updated_v2", FunctionName=name)
        with aws(f"reading {name}"):
            now = self._client.get_function_configuration(FunctionName=name)
        self._same_code(now["CodeSha256"], artefact)
        self._say("its code is updated")
        return str(now["RevisionId"])

    def _publish(self, artefact: Artefact, revision_id: str) -> str:
        name = self._deployed.name
        with aws(f"publishing a version of {name}"):
            version = self._client.publish_version(FunctionName=name, CodeSha256=artefact.code_sha256, RevisionId=revision_id)[
                "Version"
            ]
        self._wait("published_version_active", FunctionName=name, Qualifier=version)
        self._say(f"version {version} is published")
        return str(version)

    def _try_out(self, qualifier: str, what: str) -> None:
        name = self._deployed.name
        with aws(f"invoking {what} of {name}"):
            answer = self._client.invoke(FunctionName=name, Qualifier=qualifier, Payload=self._event)
            payload = answer["Payload"].read()
        try:
            value = json.loads(payload or b"null")
        except ValueError:
            raise CliError(f"{what} of {name} fails its smoke test: it answered no JSON") from None
        problem = failure(value, answer.get("FunctionError"))
        if problem:
            raise CliError(f"{what} of {name} fails its smoke test, {self._deployed.alias} stays as it was: {problem}")
        self._say(f"{what} passes the smoke test")

    def _serve(self, version: str) -> None:
        """Move the alias, and back again when what it leads to does not answer."""
        alias, revision_id = self._deployed.alias, self._deployed.alias_revision_id
        with aws(f"moving the alias {alias}"):
            moved = self._client.update_alias(
                FunctionName=self._deployed.name, Name=alias, FunctionVersion=version, RevisionId=revision_id
            )
        try:
            self._try_out(alias, alias)
        except BaseException as error:
            self._restore(moved["RevisionId"], error)
            raise
        self._say(f"{alias}: version {self._deployed.version} → {version}")

    def _restore(self, revision_id: str, cause: BaseException) -> None:
        before = self._deployed
        try:
            with aws("moving it back"):
                self._client.update_alias(
                    FunctionName=before.name, Name=before.alias, FunctionVersion=before.version, RevisionId=revision_id
                )
        except CliError as error:
            by_hand = (
                f"aws lambda update-alias --function-name {before.name} --name {before.alias} --function-version {before.version}"
            )
            raise CliError(f"{cause}\n{error}; by hand:  {by_hand}", EXIT_UNCLEAR) from cause
        self._say(f"{before.alias}: back to version {before.version}")

    def _wait(self, waiter: str, **arguments: str) -> None:
        try:
            with aws(f"waiting for {self._deployed.name}"):
                self._client.get_waiter(waiter).wait(**arguments, WaiterConfig=_PATIENCE)
        except CliError as error:
            cause = error.__cause__
            reason = cause.last_response.get("LastUpdateStatusReason") if isinstance(cause, WaiterError) else None
            raise CliError(f"{error}{f': {reason}' if reason else ''}") from cause

    def _same_code(self, code_sha256: str, artefact: Artefact) -> None:
        if code_sha256 != artefact.code_sha256:
            raise CliError(f"{self._deployed.name}: its code is {code_sha256}, not the {artefact.code_sha256} that was sent")
