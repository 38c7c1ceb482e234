"""How much memory the private servers reckon with: the machine's, or what a control group allows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local_runtime.instance.servers.memory import available_megabytes, own_shares, shares_of
from local_runtime.settings import LEAST_MEMORY_MB, InstanceSettings, SettingsError

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
OWN_PROCESSES = 206  # MB, idle, with one worker


@pytest.mark.parametrize("megabytes", [LEAST_MEMORY_MB, 1024, 2048, 4096, 16 * 1024, 256 * 1024])
def test_all_servers_at_their_limits_leave_room_for_our_own_processes(megabytes: int) -> None:
    shares = shares_of(megabytes)
    assert shares.redis + shares.rabbitmq + shares.postgresql_buffers <= megabytes - OWN_PROCESSES


def test_a_machine_of_2_gb_has_the_redis_that_every_machine_had() -> None:
    assert shares_of(2048).redis == 1024


def test_ten_million_players_fit_a_machine_of_16_gb() -> None:
    assert shares_of(16 * 1024).redis * 2**20 > 10_000_000 * 715


def test_a_machine_without_control_groups_has_what_it_has(tmp_path: Path) -> None:
    assert available_megabytes(tmp_path, tmp_path / "none") == MACHINE
    assert own_shares() == shares_of(available_megabytes())
    assert own_shares(2048) == shares_of(2048)


@pytest.mark.parametrize(
    ("own", "limits", "megabytes"),
    [
        ("0::/one/two\n", {"one/two/memory.max": "max\n", "one/memory.max": f"{300 * 2**20}\n"}, 300),
        ("0::/one/two\n", {"one/two/memory.max": f"{100 * 2**20}\n", "one/memory.max": f"{300 * 2**20}\n"}, 100),
        ("0::/\n", {"memory.max": f"{200 * 2**20}\n"}, 200),
        ("0::/one\n", {"one/memory.max": "max\n"}, MACHINE),
        ("0::/one\n", {"one/memory.max": "0\n", "one/memory.high": "-1\n"}, MACHINE),
        ("0::/one\n", {"one/memory.max": f"{300 * 2**20}\n", "one/memory.high": f"{250 * 2**20}\n"}, 250),
        ("4:cpu,cpuacct:/a\n3:memory:/a\n0::/\n", {"memory/a/memory.limit_in_bytes": f"{150 * 2**20}\n"}, 150),
        ("3:memory:/\n", {"memory/memory.limit_in_bytes": f"{2**63 - 4096}\n"}, MACHINE),
        ("3:memory:/seen/from/outside\n", {"memory/memory.limit_in_bytes": f"{120 * 2**20}\n"}, 120),
        ("4:cpu:/a\n", {"memory.max": f"{100 * 2**20}\n"}, MACHINE),
    ],
)
def test_the_least_limit_on_the_way_up_counts(tmp_path: Path, own: str, limits: dict[str, str], megabytes: int) -> None:
    groups, file = tmp_path / "groups", tmp_path / "own"
    file.write_text(own)
    for name, text in limits.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    assert available_megabytes(groups, file) == megabytes


@pytest.mark.parametrize("megabytes", ["1", "-5", str(LEAST_MEMORY_MB - 1)])
def test_too_little_is_refused_wherever_it_is_given(megabytes: str) -> None:
    with pytest.raises(SettingsError, match=rf"SCOREBOARD_MEMORY_MB={megabytes}: at least {LEAST_MEMORY_MB}, or 0"):
        InstanceSettings.from_environment({"SCOREBOARD_MEMORY_MB": megabytes})
    with pytest.raises(SettingsError, match="at least"):
        InstanceSettings.from_environment({}, memory_mb=megabytes)
    assert InstanceSettings.from_environment({"SCOREBOARD_MEMORY_MB": "0"}).memory_mb == 0
