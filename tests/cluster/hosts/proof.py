"""Three hosts with everything on them, broken in every way, and counted."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.cluster.hosts.cluster import Cluster, running
from tests.cluster.hosts.scenarios import Measured, Scenarios
from tests.cluster.hosts.viewers import Viewer
from tests.cluster.machine import CannotRun, require_programs, require_root, say

PROGRAMS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "redis-server": "redis-server",
    "rabbitmq-server": "rabbitmq-server",
    "patroni": "patroni",
    "etcd": "etcd-server",
}
TUN = Path("/dev/net/tun")
LOGS = Path("dist/hosts")


def prove_hosts() -> None:
    """Start them, break them, and count; AssertionError when a promise was broken."""
    require_root("network namespaces need root")
    require_programs(PROGRAMS)
    if not TUN.exists():
        raise CannotRun(f"there is no {TUN}: modprobe tun")
    os.environ["NO_PROXY"] = "*"  # the hosts are on this machine
    place = Path(tempfile.mkdtemp(prefix="scoreboard-hosts-"))
    place.chmod(0o711)  # PostgreSQL has an account of its own
    try:
        say("starting three hosts; it takes a minute or two")
        with running(place) as cluster:
            _say_as_table(_run_all(cluster))
    except BaseException:
        _keep_logs(place)
        raise
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _run_all(cluster: Cluster) -> list[Measured]:
    with ExitStack() as stack:
        viewers = {host.name: stack.enter_context(Viewer(cluster.api(host).base_url)) for host in cluster.hosts}
        scenarios = Scenarios(cluster, viewers)
        return [scenarios.run(name, scenario) for name, scenario in scenarios.all().items()]


def _say_as_table(rows: Sequence[Measured]) -> None:
    say("| what is done | longest pause | of one player | viewers back | exact |", "|---|---|---|---|---|")
    for row in rows:
        cells = (f"{seconds:.1f} s" for seconds in (row.pause, row.wait, row.viewers_back, row.exact))
        say(f"| {row.scenario} | {' | '.join(cells)} |")


def _keep_logs(place: Path) -> None:
    """What the servers and the product wrote, where it outlives the run."""
    shutil.rmtree(LOGS, ignore_errors=True)
    for log in place.rglob("*.log"):
        kept = LOGS / log.relative_to(place)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(log, kept)
    say(f"logs of the hosts: {LOGS}")
