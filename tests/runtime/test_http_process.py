"""The HTTP process on real sockets: its limits, its end, its workers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from tests.runtime.http_process import HttpProcess, read_answer
from tests.support.api import Answer, Api
from tests.support.product import alive
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[HttpProcess]:
    with HttpProcess(workers=2) as process:
        yield process


def assert_problem(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["code"] == code
    assert answer.json["requestId"] == answer.headers["X-Request-Id"]


def chunked(*chunks: bytes) -> bytes:
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def test_requests_are_answered(server: HttpProcess) -> None:
    event = server.api.post("/echo?a=1", {"x": 1}).json
    assert event["body"] == '{"x": 1}'
    assert event["requestContext"]["http"]["protocol"] == "HTTP/1.1"


def test_one_connection_carries_many_requests(server: HttpProcess) -> None:
    with server.open_socket() as sock:
        for _ in range(3):
            sock.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            assert read_answer(sock).status == 200


def test_pipelined_requests_are_answered_in_order(server: HttpProcess) -> None:
    with server.open_socket() as sock:
        sock.sendall(b"".join(b"GET /echo?n=%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(3)))
        received = b""
        while received.count(b"HTTP/1.1 200") < 3 or not received.endswith(b"}"):
            received += sock.recv(65536)
        assert [received.index(b'"rawQueryString": "n=%d"' % n) for n in range(3)] == sorted(
            received.index(b'"rawQueryString": "n=%d"' % n) for n in range(3)
        )


def test_repeated_headers_are_joined_with_commas(server: HttpProcess) -> None:
    answer = server.send_raw(b"GET /echo HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=1; b=2\r\n\r\n")
    assert answer.json["headers"]["x-a"] == "1,2"
    assert answer.json["cookies"] == ["a=1", "b=2"]


@pytest.mark.parametrize("around", ["", " ", "\t", " \t  "])
def test_white_space_around_a_value_is_no_part_of_it(server: HttpProcess, around: str) -> None:
    lines = [f"{name}:{around}{value}{around}\r\n" for name, value in (("Host", "h"), ("X-A", "a b"), ("X-A", "c"), ("X-B", ""))]
    answer = server.send_raw(f"GET /echo HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
    headers = answer.json["headers"]
    assert (headers["host"], headers["x-a"], headers["x-b"]) == ("h", "a b,c", "")


def test_only_spaces_and_tabs_are_white_space_there(server: HttpProcess) -> None:
    answer = server.send_raw(b"GET /echo HTTP/1.1\r\nHost: h\r\nX-A: a\xa0\r\n\r\n")
    assert answer.json["headers"]["x-a"] == "a\xa0"


def test_a_chunked_body_arrives_whole(server: HttpProcess) -> None:
    assert server.send_raw(chunked(b"one ", b"two", b"")).json["body"] == "one two"


def test_a_chunked_body_over_the_limit_is_413(server: HttpProcess) -> None:
    assert_problem(server.send_raw(chunked(b"x" * 40000, b"x" * 40000, b"")), 413, "payload_too_large")


def test_a_body_may_be_as_large_as_the_limit_which_is_an_option(server: HttpProcess) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    assert server.send_raw(head % 65536 + b"x" * 65536).status == 200
    assert_problem(server.send_raw(head % 65537 + b"x" * 65537), 413, "payload_too_large")
    with HttpProcess({"SCOREBOARD_MAX_BODY_BYTES": "10"}) as small:
        assert small.send_raw(head % 10 + b"x" * 10).status == 200
        assert_problem(small.send_raw(head % 11 + b"x" * 11), 413, "payload_too_large")


def test_a_body_over_the_limit_is_413_before_it_is_sent(server: HttpProcess) -> None:
    answer = server.send_raw(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n")
    assert_problem(answer, 413, "payload_too_large")


def test_a_broken_chunk_is_400(server: HttpProcess) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert_problem(server.send_raw(head + b"zz\r\nx\r\n"), 400, "malformed_request")


def test_a_body_cut_short_never_reaches_the_function(server: HttpProcess) -> None:
    with server.open_socket() as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
        sock.shutdown(socket.SHUT_WR)
        assert_problem(read_answer(sock), 400, "malformed_request")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /echo HTTP/9.9\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"FOO /echo HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\nX-A: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET /echo HTTP/1.1\r\n" + b"X-A: 1\r\n" * 70 + b"\r\n", 431),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: rot13\r\n\r\n", 501),
    ],
)
def test_what_is_no_proper_http_is_a_problem_too(server: HttpProcess, data: bytes, status: int) -> None:
    answer = server.send_raw(data)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["requestId"] == answer.headers["X-Request-Id"]
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("target", ["//echo", "/./echo", "/echo/../echo", "http://h//echo"])
def test_paths_are_neither_merged_nor_redirected(server: HttpProcess, target: str) -> None:
    assert_problem(server.send_raw(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode()), 404, "not_found")


def test_an_absolute_target_is_understood(server: HttpProcess) -> None:
    assert server.send_raw(b"GET http://h/echo?a=1 HTTP/1.1\r\nHost: h\r\n\r\n").json["rawPath"] == "/echo"


def test_a_function_over_its_time_is_504(server: HttpProcess) -> None:
    began = time.monotonic()
    answer = server.api.get("/sleep?seconds=30")
    assert_problem(answer, 504, "function_timeout")
    assert 1.5 < time.monotonic() - began < 28


def test_slow_functions_do_not_wait_for_each_other(server: HttpProcess) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(80) as pool:
        answers = list(pool.map(lambda _: server.api.get("/nap?seconds=1").status, range(80)))
    assert answers == [200] * 80
    assert time.monotonic() - began < 35, "one after the other they take 40 seconds on each of two workers"


def test_a_failing_function_tells_the_log_and_not_the_client(server: HttpProcess) -> None:
    answer = server.api.get("/fail")
    assert_problem(answer, 500, "internal_error")
    assert b"hunter2" not in answer.body
    assert answer.json["requestId"] in server.log
    assert "RuntimeError: the database password is hunter2" in server.log


def test_metrics_count_the_invocations_of_all_workers(server: HttpProcess) -> None:
    def count() -> float:
        lines = server.api.get("/metrics").body.decode().splitlines()
        wanted = 'scoreboard_function_invocations_total{function="answer",outcome="ok",trigger="http"}'
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(wanted)), 0.0)

    before = count()
    for _ in range(20):
        assert server.api.post("/answer", {"statusCode": 200}).status == 200
    eventually(lambda: count() == before + 20, 60, "all of them counted")
    time.sleep(0.6)
    assert count() == before + 20


def test_a_killed_worker_is_replaced_and_the_rest_carry_on(server: HttpProcess) -> None:
    victim = server.worker_pids[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in server.worker_pids and len(server.worker_pids) == 2, 60, "a new worker")
    assert [server.api.get("/echo").status for _ in range(10)] == [200] * 10


def test_a_function_that_never_gives_way_costs_its_worker_and_nothing_else() -> None:
    with HttpProcess(workers=2) as server:
        with ThreadPoolExecutor(1) as pool:
            spinning = pool.submit(server.api.get, "/spin")
            assert spinning.result(60).status == 500
        eventually(lambda: server.api.get("/echo").status == 200, 60, "an answer")


def test_sigterm_answers_what_is_in_flight_and_ends_at_once() -> None:
    with HttpProcess(workers=2) as server, ThreadPoolExecutor(1) as pool, server.open_socket() as idle:
        idle.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_answer(idle).status == 200
        slow = pool.submit(server.api.get, "/nap?seconds=1.5")
        eventually(server.events_file.with_suffix(".sleeping").exists, 60, "a request in flight")
        began = time.monotonic()
        workers = server.worker_pids
        assert server.stop() == 0
        assert time.monotonic() - began < 15
        assert slow.result().status == 200
        assert not any(alive(pid) for pid in workers)
        assert "Traceback" not in server.log


def test_ctrl_c_is_as_gentle_as_sigterm() -> None:
    with HttpProcess() as server, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.api.get, "/nap?seconds=1")
        eventually(server.events_file.with_suffix(".sleeping").exists, 60, "a request in flight")
        for pid in server.worker_pids:
            os.kill(pid, signal.SIGINT)
        assert server.stop(signal.SIGINT) == 0
        assert slow.result().status == 200


def test_workers_end_when_their_arbiter_is_killed() -> None:
    with HttpProcess(workers=2) as server:
        workers = server.worker_pids
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        eventually(lambda: not any(alive(pid) for pid in workers), 60, "the workers' end")


def test_a_listening_socket_is_inherited_and_connections_queue_meanwhile() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = HttpProcess({"SCOREBOARD_LISTEN_FD": str(listener.fileno())})
        with socket.create_connection(listener.getsockname(), timeout=60) as early:
            early.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            server.start(pass_fds=(listener.fileno(),))
            with server:
                assert read_answer(early).status == 200
                assert server.base_url == f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SCOREBOARD_TLS": "true"}, ["SCOREBOARD_TLS_CERT", "SCOREBOARD_TLS_KEY"]),
        ({"SCOREBOARD_TRUSTED_PROXIES": "nonsense", "SCOREBOARD_LISTEN_FD": "x"}, ["PROXIES", "SCOREBOARD_LISTEN_FD"]),
    ],
)
def test_options_that_cannot_be_used_stop_the_start_with_all_problems(environment: dict[str, str], words: list[str]) -> None:
    server = HttpProcess(environment)
    with pytest.raises(AssertionError, match="ended with 2"), server:
        pass
    log = server.last_log
    assert all(word in log for word in words)
    assert "Traceback" not in log


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HttpProcess, ssl.SSLContext]]:
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    files = {"SCOREBOARD_TLS_CERT": str(directory / "cert.pem"), "SCOREBOARD_TLS_KEY": str(directory / "key.pem")}
    with HttpProcess({"SCOREBOARD_TLS": "true", **files}) as process:
        yield process, context


def test_tls_is_served(tls_server: tuple[HttpProcess, ssl.SSLContext]) -> None:
    server, context = tls_server
    answer = Api(server.base_url, context).get("/echo")
    assert server.base_url.startswith("https://")
    assert answer.json["headers"]["x-forwarded-proto"] == "https"


def test_tls_before_1_3_is_refused(tls_server: tuple[HttpProcess, ssl.SSLContext]) -> None:
    server, context = tls_server
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)), server.open_socket(old):
        pass
    with server.open_socket(context) as sock:
        assert isinstance(sock, ssl.SSLSocket)
        assert sock.version() == "TLSv1.3"


def test_plain_text_to_a_tls_port_does_no_harm(tls_server: tuple[HttpProcess, ssl.SSLContext]) -> None:
    server, context = tls_server
    with server.open_socket() as sock:
        sock.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1000)[:4] != b"HTTP"
    assert Api(server.base_url, context).get("/echo").status == 200
    assert "Traceback" not in server.log


def test_silent_and_slow_clients_do_not_stop_the_others(server: HttpProcess) -> None:
    silent = [server.open_socket() for _ in range(50)]
    for sock in silent:
        sock.sendall(b"POST /echo HTTP/1.1\r\nContent-Le")
    try:
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda _: server.api.get("/echo").status, range(40))) == {200}
    finally:
        for sock in silent:
            sock.close()


def test_nothing_of_a_run_is_left_behind() -> None:
    with HttpProcess(workers=2) as server:
        directory = server.data_dir / "run" / "http"
        assert oct(directory.stat().st_mode & 0o777) == "0o700"
        announced = json.loads(Path(server.data_dir / "run" / "http.json").read_text())
        assert announced["pid"] == server.process.pid if server.process else 0
        server.stop()
        assert not list(directory.glob("*.sock"))
