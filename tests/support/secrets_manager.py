"""Secrets Manager on loopback: moto's, asked over HTTP by functions that are processes of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore.awsrequest import AWSPreparedRequest
from moto.core.botocore_stubber import BotocoreStubber

from tests.support.loopback import Answered, serving

REGION = "us-east-1"
_MOTO = BotocoreStubber()
_URL = f"https://secretsmanager.{REGION}.amazonaws.com/"


@contextmanager
def secrets_manager() -> Iterator[str]:
    """The service's URL."""
    with serving(lambda asked: _ask(asked.headers, asked.body)) as address:
        yield f"http://{address}"


def create_secret(name: str, text: str) -> str:
    """Store a text; answers the secret's ARN."""
    headers = {
        "X-Amz-Target": "secretsmanager.CreateSecret",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=key/20261123/{REGION}/secretsmanager/aws4_request",
    }
    body = {"Name": name, "SecretString": text, "ClientRequestToken": name.ljust(32, "-")}
    answer = _ask(headers, json.dumps(body).encode())
    assert answer.status == 200, answer.body
    arn: str = json.loads(answer.body)["ARN"]
    return arn


def _ask(headers: Mapping[str, str], body: bytes) -> Answered:
    request = AWSPreparedRequest("POST", _URL, {**headers, "Host": _URL.split("/")[2]}, body, stream_output=False)
    status, _, text = _MOTO.process_request(request)  # type: ignore[misc]
    answer = text.encode() if isinstance(text, str) else text
    return Answered(int(status), answer, (("Content-Type", "application/x-amz-json-1.1"),))
