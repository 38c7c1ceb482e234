"""The @connections API, with AWS's own client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from local_runtime.gateway.websocket.ids import ConnectionIds
from local_runtime.gateway.websocket.signature import AccessKey, SignedRequest, is_signed
from shared.viewers.management_api import ManagementApi
from tests.runtime.http_process import ACCESS_KEY_ID, SECRET_ACCESS_KEY, HttpProcess
from tests.support.api import Api
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[HttpProcess]:
    with HttpProcess(workers=3) as process:
        yield process


def client_of(server: HttpProcess, secret: str = SECRET_ACCESS_KEY, key_id: str = ACCESS_KEY_ID) -> Any:
    return boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=server.where["management_url"],
        region_name="eu-west-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


@pytest.fixture(scope="module")
def management(server: HttpProcess) -> Iterator[Any]:
    client = client_of(server)
    yield client
    client.close()


def open_viewer(server: HttpProcess, marker: str) -> tuple[ClientConnection, str]:
    """A viewer and its connection id."""
    viewer = connect(f"{server.ws_url}?marker={marker}", proxy=None, open_timeout=60, user_agent_header="game/1")

    def find() -> str:
        events = server.events("CONNECT")
        mine = (e for e in events if (e.get("queryStringParameters") or {}).get("marker") == marker)
        return next((str(e["requestContext"]["connectionId"]) for e in mine), "")

    return viewer, eventually(find, 60, "the connection's event")


NOBODY = ConnectionIds("", 0)


def error_of(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(botocore.exceptions.ClientError) as failed:
        call(**arguments)
    response: Any = failed.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_a_post_reaches_the_viewer_whichever_worker_holds_it(server: HttpProcess, management: Any) -> None:
    viewers = [open_viewer(server, f"post-{n}") for n in range(12)]
    for n, (_, connection_id) in enumerate(viewers):
        management.post_to_connection(ConnectionId=connection_id, Data=f"hello {n} é".encode())
    for n, (viewer, _) in enumerate(viewers):
        with viewer:
            assert viewer.recv(timeout=60) == f"hello {n} é"


def test_the_layers_own_client_is_understood(server: HttpProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    api = ManagementApi(server.where["management_url"])
    viewers = [open_viewer(server, f"layer-{n}") for n in range(3)]
    ids = [connection_id for _, connection_id in viewers]
    assert api.post_to_all([*ids, NOBODY.new()], "hello é".encode(), 5) == [200, 200, 200, 410]
    assert api.close_all(ids, 5) == [204, 204, 204]
    api.close()
    for viewer, _ in viewers:
        with viewer:
            assert viewer.recv(timeout=60) == "hello é"


def test_posts_arrive_in_order(server: HttpProcess, management: Any) -> None:
    viewer, connection_id = open_viewer(server, "order")
    with viewer:
        for n in range(20):
            management.post_to_connection(ConnectionId=connection_id, Data=str(n).encode())
        assert [viewer.recv(timeout=60) for _ in range(20)] == [str(n) for n in range(20)]


def test_get_describes_a_connection(server: HttpProcess, management: Any) -> None:
    viewer, connection_id = open_viewer(server, "get")
    with viewer:
        described = management.get_connection(ConnectionId=connection_id)
        assert described["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "game/1"}
        assert abs(described["ConnectedAt"] - datetime.now(UTC)) < timedelta(seconds=60)
        management.post_to_connection(ConnectionId=connection_id, Data=b"x")
        later = management.get_connection(ConnectionId=connection_id)
        assert later["LastActiveAt"] >= described["LastActiveAt"]
        assert later["ConnectedAt"] == described["ConnectedAt"]


def test_delete_closes_a_connection(server: HttpProcess, management: Any) -> None:
    viewer, connection_id = open_viewer(server, "delete")
    with viewer:
        management.delete_connection(ConnectionId=connection_id)
        with pytest.raises(ConnectionClosed) as end:
            viewer.recv(timeout=60)
        assert end.value.rcvd is not None
        assert end.value.rcvd.code == 1000
    assert error_of(management.get_connection, ConnectionId=connection_id) == (410, "GoneException")


def test_a_connection_that_has_ended_is_gone(server: HttpProcess, management: Any) -> None:
    viewer, connection_id = open_viewer(server, "gone")
    with viewer:
        pass
    gone = (410, "GoneException")
    eventually(lambda: _is_gone(management, connection_id), 60, "gone")
    assert error_of(management.post_to_connection, ConnectionId=connection_id, Data=b"x") == gone
    assert error_of(management.delete_connection, ConnectionId=connection_id) == gone


def _is_gone(management: Any, connection_id: str) -> bool:
    try:
        management.get_connection(ConnectionId=connection_id)
    except management.exceptions.GoneException:
        return True
    return False


@pytest.mark.parametrize(
    "made_up",
    ["nonsense", "AAAAAAAAAAA=", "é/@connections", NOBODY.new(), ConnectionIds("", 4194303).new()],
    ids=["a word", "no id of ours", "another path", "never given out", "of a process that is not there"],
)
def test_an_id_that_nobody_has_is_gone(management: Any, made_up: str) -> None:
    assert error_of(management.post_to_connection, ConnectionId=made_up, Data=b"x") == (410, "GoneException")


def test_an_id_of_another_instance_is_not_called_gone(management: Any) -> None:
    """Whoever is told that a connection is gone forgets the viewer."""
    foreign = ConnectionIds("elsewhere", 25).new()
    assert error_of(management.post_to_connection, ConnectionId=foreign, Data=b"x") == (404, "NotFoundException")


def test_a_message_over_128_kib_is_refused_and_one_of_128_kib_arrives(server: HttpProcess, management: Any) -> None:
    viewer, connection_id = open_viewer(server, "big")
    with viewer:
        too_big = b"x" * (128 * 1024 + 1)
        code = error_of(management.post_to_connection, ConnectionId=connection_id, Data=too_big)
        assert code == (413, "PayloadTooLargeException")
        management.post_to_connection(ConnectionId=connection_id, Data=too_big[1:])
        assert len(viewer.recv(timeout=60)) == 128 * 1024


@pytest.mark.parametrize("wrong", [{"secret": "guessed"}, {"key_id": "AKIAOTHER"}])
def test_a_wrong_signature_is_forbidden(server: HttpProcess, wrong: dict[str, str]) -> None:
    client = client_of(server, **wrong)
    try:
        status, code = error_of(client.post_to_connection, ConnectionId="x", Data=b"x")
    finally:
        client.close()
    assert (status, code) == (403, "ForbiddenException")


def test_an_unsigned_call_is_forbidden_and_another_stage_unknown(server: HttpProcess) -> None:
    url = server.where["management_url"].removesuffix("/live")
    assert Api(url).post("/live/@connections/x", b"x").status == 403
    assert Api(url).post("/other/@connections/x", b"x").status == 404
    assert Api(url).get("/").status == 404
    assert Api(url).request("PUT", "/live/@connections/x").status == 405


def test_the_public_port_knows_no_connections(server: HttpProcess) -> None:
    assert server.api.post("/live/@connections/x", b"x").status == 404


def test_an_instance_without_a_key_accepts_no_signature() -> None:
    with HttpProcess({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}) as server:
        url = server.where["management_url"].removesuffix("/live")
        assert Api(url).post("/live/@connections/x", b"x").status == 403


def sign(path: str = "/live/%40connections/a%3D", body: bytes = b"x") -> SignedRequest:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest("POST", f"http://127.0.0.1:9{path}", data=body, headers={"X-Amz-Meta": " two  words "})
    SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), "execute-api", "eu-west-1").add_auth(request)
    headers = {name.lower(): str(value) for name, value in request.headers.items()} | {"host": "127.0.0.1:9"}
    return SignedRequest("POST", path, "", headers, body)


KEY = AccessKey(ACCESS_KEY_ID, SECRET_ACCESS_KEY)


def test_a_signature_covers_method_path_body_and_headers() -> None:
    now = datetime.now(UTC)
    request = sign()
    headers = request.headers
    assert is_signed(request, KEY, now)
    assert not is_signed(SignedRequest("GET", request.path, "", headers, b"x"), KEY, now)
    assert not is_signed(SignedRequest("POST", "/live/%40connections/b%3D", "", headers, b"x"), KEY, now)
    assert not is_signed(SignedRequest("POST", request.path, "a=1", headers, b"x"), KEY, now)
    assert not is_signed(SignedRequest("POST", request.path, "", headers, b"y"), KEY, now)
    assert not is_signed(SignedRequest("POST", request.path, "", {**headers, "host": "evil"}, b"x"), KEY, now)


def test_a_signature_does_not_keep() -> None:
    request, now = sign(), datetime.now(UTC)
    assert is_signed(request, KEY, now + timedelta(minutes=4))
    assert not is_signed(request, KEY, now + timedelta(minutes=6))
    assert not is_signed(request, KEY, now - timedelta(minutes=6))


@pytest.mark.parametrize("authorization", ["", "Bearer x", "AWS4-HMAC-SHA256 Credential=a", "AWS4-HMAC-SHA256 " + "x" * 10_000])
def test_what_is_no_signature_is_none(authorization: str) -> None:
    request = sign()
    headers = {**request.headers, "authorization": authorization}
    assert not is_signed(SignedRequest("POST", request.path, "", headers, b"x"), KEY, datetime.now(UTC))


def test_the_secret_does_not_print() -> None:
    assert SECRET_ACCESS_KEY not in repr(KEY)


def test_calls_are_quick(server: HttpProcess, management: Any) -> None:
    viewer, connection_id = open_viewer(server, "quick")
    with viewer:
        durations = []
        for _ in range(51):
            began = time.monotonic()
            management.post_to_connection(ConnectionId=connection_id, Data=b"x")
            assert viewer.recv(timeout=60) == "x"
            durations.append(time.monotonic() - began)
        assert sorted(durations)[25] < 0.2, "something waits for a timer"
