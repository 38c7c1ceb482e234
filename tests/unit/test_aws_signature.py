"""Signatures are those that botocore makes, and the way to them does without it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from shared.stores.aws.http import Credentials, Identity, UnsignedRequest, aws_identity, signed
from tests.support.product import ROOT

PATHS = st.text(st.sampled_from("abcXYZ019-_.~@:=+$&,;%20"), max_size=30).map(lambda text: f"/live/@connections/x{text}")
BASES = st.sampled_from(["https://abc.execute-api.eu-west-1.amazonaws.com", "http://127.0.0.1:8080", "https://host.example:8443"])


@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    base=BASES,
    path=PATHS,
    body=st.binary(max_size=100),
    headers=st.dictionaries(st.sampled_from(["Content-Type", "X-Amz-Target", "X-Own"]), st.text("ab  /.1", min_size=1)),
    token=st.sampled_from(["", "a-session-token"]),
)
def test_a_signature_is_botocores(method: str, base: str, path: str, body: bytes, headers: dict[str, str], token: str) -> None:
    theirs = AWSRequest(method, base + path, dict(headers), body)
    SigV4Auth(BotocoreCredentials("key", "secret", token or None), "execute-api", "eu-west-1").add_auth(theirs)
    now = datetime.strptime(theirs.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    identity = Identity(lambda: Credentials("key", "secret", token), "eu-west-1")
    ours = signed(UnsignedRequest(method, base + path, headers, body), "execute-api", identity, now)
    assert ours == dict(theirs.headers.items())


def test_lambdas_variables_are_enough_and_no_library_is_asked() -> None:
    variables = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    program = (
        "import sys; from shared.stores.aws.http import aws_identity; found = aws_identity();"
        "credentials = found.credentials(); assert 'botocore' not in sys.modules;"
        "print(found.region, credentials.key_id, credentials.secret, credentials.token)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["eu-west-1", "k", "s", "t"]


def test_other_sources_are_botocores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = of-a-file\naws_secret_access_key = s\n", encoding="utf-8")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert aws_identity().credentials().key_id == "of-a-file"


def test_credentials_are_never_shown() -> None:
    assert "hunter2" not in repr(Credentials("key", "hunter2", "hunter2"))
