"""The edge to AWS: whatever botocore raises becomes one clear message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local_runtime.cli.errors import CliError

_MEANINGS = {
    "PreconditionFailedException": "somebody else has changed it since it was looked at: look at what they did, then try again",
    "ResourceConflictException": "another update of it is under way: wait for its end, then try again",
    "ResourceNotFoundException": "it does not exist",
}


@contextmanager
def aws(doing: str) -> Iterator[None]:
    """Say what was being done when AWS refuses or cannot be reached."""
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        raise CliError(f"{doing}: {_MEANINGS.get(code, message)} ({code})") from error
    except BotoCoreError as error:
        raise CliError(f"{doing}: {error}") from error


def clients(region: str | None, services: Mapping[str, Config | None]) -> list[Any]:
    """A client of each service, with the credentials of the environment or the profile."""
    with aws("connecting"):
        session = boto3.Session(region_name=region)
        return [session.client(service, config=config) for service, config in services.items()]


def physical_name(cloudformation: Any, stack: str, logical_id: str) -> str:
    """The name that a stack gave to its function."""
    with aws(f"looking for {logical_id} in the stack {stack}"):
        found = cloudformation.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])
