"""Secrets Manager on loopback: moto's, in a process of its own, for other tests reset what moto keeps in theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.request import Request, urlopen

from botocore.awsrequest import AWSPreparedRequest
from moto.core.botocore_stubber import BotocoreStubber

from tests.support.loopback import Answered, serving
from tests.support.product import ROOT

REGION = "us-east-1"
_URL = f"https://secretsmanager.{REGION}.amazonaws.com/"


@contextmanager
def secrets_manager() -> Iterator[str]:
    """The service's URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.secrets_manager"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()  # it ends when nobody can want it any more


def create_secret(url: str, name: str, text: str) -> str:
    """Store a text; answers the secret's ARN."""
    headers = {
        "X-Amz-Target": "secretsmanager.CreateSecret",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=key/20261123/{REGION}/secretsmanager/aws4_request",
    }
    body = {"Name": name, "SecretString": text, "ClientRequestToken": name.ljust(32, "-")}
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=30) as answer:
        arn: str = json.load(answer)["ARN"]
    return arn


def _ask(moto: BotocoreStubber, headers: Mapping[str, str], body: bytes) -> Answered:
    request = AWSPreparedRequest("POST", _URL, {**headers, "Host": _URL.split("/")[2]}, body, stream_output=False)
    status, _, text = moto.process_request(request)  # type: ignore[misc]
    answer = text.encode() if isinstance(text, str) else text
    return Answered(int(status), answer, (("Content-Type", "application/x-amz-json-1.1"),))


def _serve() -> None:
    moto = BotocoreStubber()
    with serving(lambda asked: _ask(moto, asked.headers, asked.body)) as address:
        print(f"http://{address}", flush=True)  # noqa: T201 - for whoever started this
        sys.stdin.read()


if __name__ == "__main__":
    _serve()
