"""A launch day: newcomers register, log in and play while others play on and watch; compared with what `scoreboard plan` says.

What one who joins costs is measured alone, as fast as it goes. Then players arrive at a quarter of the rate that this machine
took, and each registers, logs in and makes a first update, while a crowd plays and viewers watch; `plan` is asked for the same.
"""

from __future__ import annotations

import json
import secrets
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from itertools import islice
from typing import Any

from local_runtime.cli.plan import HALF_BUSY, JOINED, MEASURED, PARTS, Load, Plan, planned
from local_runtime.cli.plan import Figures as Costs
from tests.benchmarks.crowd import Crowd
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import Load as Driven
from tests.benchmarks.load import drive
from tests.benchmarks.processes import Sample, sample
from tests.benchmarks.updates import crowd
from tests.support.api import PASSWORD, Api
from tests.support.product import Product

MILLION, AN_HOUR = 1_000_000, 3600
AT_ONCE = 8  # as many wait for a hash; beyond 66 the product sends away
ROUNDS, ROUND_SECONDS, WARM_UP_SECONDS, IDLE_SECONDS = 3, 8.0, 5.0, 10.0
DAY_SECONDS, PLAYING_PER_SECOND, WATCHING = 40.0, 200.0, 1_000
JOIN_LIMIT_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
_OPTIONS = {"RATE_LIMIT_REQUESTS": "1000000", "REGISTRATIONS_PER_HOUR": "10000000"}


def measure() -> list[Figure]:
    """On a product of its own, one worker."""
    with Product(None, "--workers", "1", **_OPTIONS) as product:
        requests = crowd(product)
        drive(product.base_url, requests, [product.pid("http")], seconds=WARM_UP_SECONDS)
        joining = _joining(product)
        a_second = next(each.median for each in joining if each.name == "players who join, a second")
        return [*joining, *_first_requests(product, requests), *_day(product, requests, a_second / 4)]


def _joining(product: Product) -> list[Figure]:
    """What registering and logging in take, one after the other on each of a few connections."""
    spent: dict[str, list[float]] = {name: [] for name in ("registrations", "log-ins")}
    parts: dict[str, list[float]] = {part: [] for part in JOINED}
    rates: list[float] = []
    idle = _idle(product)
    for _ in range(ROUNDS):
        prefix = f"launch-{secrets.token_hex(4)}-"
        before = sample(product)
        registered = _drive(product, "/api/users", [f"{prefix}{number}" for number in range(int(ROUND_SECONDS * 500))], 201)
        there = [name for (name,) in product.query("SELECT username FROM users WHERE username LIKE :like", like=f"{prefix}%")]
        logged_in = _drive(product, "/api/tokens", there, 200)
        after = sample(product)
        spent["registrations"].append(registered.per_cpu_second)
        spent["log-ins"].append(logged_in.per_cpu_second)
        rates.append(1 / (registered.seconds / registered.count + logged_in.seconds / logged_in.count))
        for part, seconds in _busy(before, after).items():
            if part in parts:
                # Both took as long, and there were more of the quicker ones: half of what was spent is that of each.
                spent_on = (seconds - idle[part] * (after.instant - before.instant)) / 2
                parts[part].append(spent_on / registered.count + spent_on / logged_in.count)
    hashes = statistics.median(spent["log-ins"])
    return [
        figure("players who join, a second", "1/s", rates, "a million in an hour", MILLION / AN_HOUR),
        *(figure(f"{name} a CPU second", "1/s", found, "log-ins a CPU second", hashes) for name, found in spent.items()),
        *(
            figure(f"CPU of one who joins, {part}", "us", [seconds * 1e6 for seconds in found], "a hash", 1e6 / hashes)
            for part, found in parts.items()
        ),
    ]


def _idle(product: Product) -> dict[str, float]:
    """Cores that are busy while nothing happens, by part."""
    before = sample(product)
    time.sleep(IDLE_SECONDS)
    after = sample(product)
    return {part: seconds / (after.instant - before.instant) for part, seconds in _busy(before, after).items()}


def _drive(product: Product, path: str, names: Sequence[str], expected: int) -> Driven:
    host = product.base_url.partition("//")[2]
    requests = [_post(host, path, {"username": name, "password": PASSWORD}) for name in names]
    driven = drive(product.base_url, requests, [product.pid("http")], connections=AT_ONCE, seconds=ROUND_SECONDS)
    assert set(driven.statuses) == {expected}, driven.statuses
    return driven


def _post(host: str, path: str, body: object) -> bytes:
    text = json.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}"
    ).encode()


def _first_requests(product: Product, requests: Sequence[bytes]) -> list[Figure]:
    """Updates with tokens that the worker has not seen, as of those who log in elsewhere."""
    product.restart_http()
    pid = product.pid("http")
    warm = drive(product.base_url, requests[:64], [pid], connections=64, seconds=WARM_UP_SECONDS)
    fresh = drive(product.base_url, requests[64:], [pid], connections=64, seconds=2.0)
    assert set(fresh.statuses) == {200}, fresh.statuses
    assert fresh.count <= len(requests) - 64, "tokens were shown twice"
    name, costs = "first updates with a new token a CPU second", [fresh.per_cpu_second]
    return [figure(name, "1/s", costs, "with a known one", warm.per_cpu_second)]


def _day(product: Product, requests: Sequence[bytes], joining_per_second: float) -> list[Figure]:
    """Everything at once, and what `plan` says of it."""
    token = product.api.new_player().access_token
    with Crowd(product.base_url, token, WATCHING) as viewers, ThreadPoolExecutor(1) as others:
        assert viewers.hear()["refused"] == 0
        before = sample(product)
        playing = others.submit(
            drive,
            product.base_url,
            requests,
            [product.pid("http")],
            seconds=DAY_SECONDS,
            rate=PLAYING_PER_SECOND,
        )
        joined = _arrive(product.api, joining_per_second)
        played = playing.result()
        after = sample(product)
    assert set(played.statuses) == {200}, played.statuses
    seconds = after.instant - before.instant
    carried = Load(
        players=len(joined),
        updates_per_second=(played.count + len(joined)) / seconds,
        viewers=WATCHING,
        reads_per_second=0,
        joining_per_hour=len(joined) / seconds * AN_HOUR,
    )
    plan = planned(carried, Costs.read(MEASURED))
    figures = [
        figure("launch day: players who joined, a second", "1/s", [len(joined) / seconds], "asked for", joining_per_second),
        figure("launch day: register, log in, first update", "s", joined, "limit", JOIN_LIMIT_SECONDS),
        figure("launch day: an update of those who play", "s", played.latencies, "limit", JOIN_LIMIT_SECONDS),
    ]
    figures += _against(plan, _busy(before, after), seconds)
    return figures


def _against(plan: Plan, busy: dict[str, float], seconds: float) -> list[Figure]:
    """Cores that were busy, against what the plan has them busy."""
    asked = {part: cores * HALF_BUSY for part, cores in plan.cores.items()}
    measured = {part: spent / seconds for part, spent in busy.items()}
    found = [figure(f"launch day: cores of {part}", "cores", [measured[part]], "plan", asked[part]) for part in PARTS]
    return [*found, figure("launch day: cores of all", "cores", [sum(measured.values())], "plan", sum(asked.values()))]


def _arrive(api: Api, per_second: float) -> list[float]:
    """Newcomers at that rate, however long each takes; answers the seconds of each, from when it was due."""
    with ThreadPoolExecutor(4 * AT_ONCE) as pool:
        futures: list[Future[float]] = []
        for due in islice(_instants(per_second), int(DAY_SECONDS * per_second)):
            time.sleep(max(0.0, due - time.monotonic()))
            futures.append(pool.submit(_join, api, due))
        return [future.result() for future in futures]


def _instants(per_second: float) -> Iterator[float]:
    began, number = time.monotonic(), 0
    while True:
        yield began + number / per_second
        number += 1


def _join(api: Api, due: float) -> float:
    """What is not answered in time is sent again, as a client does."""
    credentials = {"username": f"launch-{secrets.token_hex(8)}", "password": PASSWORD}
    account = _until_answered(api, "/api/users", credentials)
    tokens = _until_answered(api, "/api/tokens", credentials)
    _until_answered(api, f"/api/score/{account['userId']}", {"increment": 1}, f"Bearer {tokens['accessToken']}")
    return time.monotonic() - due


def _until_answered(api: Api, path: str, body: object, authorization: str = "") -> Any:
    headers = {"Idempotency-Key": secrets.token_hex(8)} | ({"Authorization": authorization} if authorization else {})
    until = time.monotonic() + PATIENCE_SECONDS
    while (answer := api.post(path, body, headers)).status >= HTTPStatus.INTERNAL_SERVER_ERROR and time.monotonic() < until:
        time.sleep(float(answer.headers.get("Retry-After", 1)))
    return answer.data


def _busy(before: Sample, after: Sample) -> dict[str, float]:
    """CPU seconds by part."""
    return {part: after.cpu_seconds[part] - before.cpu_seconds[part] for part in PARTS}
