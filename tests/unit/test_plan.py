"""`scoreboard plan`: what a load takes by measured figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_runtime.cli.errors import CliError
from local_runtime.cli.main import main
from local_runtime.cli.plan import MEASURED, PARTS, Figures, Load, Plan, planned
from tests.benchmarks.figures import figure, write_json


def of(load: Load) -> Plan:
    return planned(load, Figures.read(MEASURED))


def test_an_update_costs_what_was_measured_at_its_rate_and_between_two_of_them() -> None:
    figures = Figures({"CPU at 100 updates/s, redis": 200.0, "CPU at 300 updates/s, redis": 100.0}, MEASURED)
    rates = (1, 100, 200, 300, 9000)
    assert [round(figures.cost("redis", rate) * 1e6, 6) for rate in rates] == [200, 200, 150, 100, 100]


def test_players_updates_viewers_and_reads_are_paid_for_where_they_cost() -> None:
    base = of(Load(1000, 4000, 0, 0))
    assert sum(base.cores.values()) == pytest.approx(2 * 4000 * (135 + 76 + 58 + 46 + 47) / 1e6)
    more_players = of(Load(2000, 4000, 0, 0))
    assert more_players.cores == base.cores
    assert more_players.redis_megabytes == pytest.approx(2 * base.redis_megabytes)
    twice = of(Load(1000, 8000, 0, 0))
    assert twice.disk_megabytes_a_day == pytest.approx(2 * base.disk_megabytes_a_day)
    assert twice.board_share == pytest.approx(2 * base.board_share)
    for other in (of(Load(1000, 4000, 5000, 0)), of(Load(1000, 4000, 0, 500))):
        assert other.cores["http"] > base.cores["http"]
        assert {**other.cores, "http": 0} == {**base.cores, "http": 0}


def test_newcomers_are_paid_for_by_the_hash_and_with_one_less_where_they_log_in_elsewhere() -> None:
    figures, an_hour = Figures.read(MEASURED), 7200
    base, joining = of(Load(1000, 4000, 0, 0)), of(Load(1000, 4000, 0, 0, an_hour))
    hashes = 1 / figures["registrations a CPU second"] + 1 / figures["log-ins a CPU second"]
    assert joining.joining_cores == pytest.approx(2 * 2 * hashes)
    assert joining.cores["http"] - base.cores["http"] == pytest.approx(joining.joining_cores)
    assert all(joining.cores[part] >= base.cores[part] for part in PARTS)
    assert base.joining_cores == 0
    elsewhere = of(Load(1000, 4000, 0, 0, an_hour, has_outside_tokens=True))
    assert 0.4 * joining.joining_cores < elsewhere.joining_cores < 0.8 * joining.joining_cores


def test_newcomers_are_told_of_with_the_limit_that_lets_them_in(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["plan", "--players", "1000000", "--updates", "1000"]
    assert main([*asked, "--joining", "1000000"]) == 0
    told = capsys.readouterr().out
    assert "1,000,000 who join in an hour (278/s)" in told
    assert "two hashes of a password each;\n  REGISTRATIONS_PER_HOUR=1200000 lets them in" in told
    assert main([*asked, "--joining", "1000000", "--outside-tokens"]) == 0
    assert "one hash of a password each" in capsys.readouterr().out
    assert main(asked) == 0
    assert "join" not in capsys.readouterr().out


def test_viewers_are_sent_no_more_frames_than_there_are_changes() -> None:
    one, ten, many = (of(Load(0, rate, 5000, 0)).cores["http"] - of(Load(0, rate, 0, 0)).cores["http"] for rate in (1, 10, 1000))
    assert many == pytest.approx(ten) == pytest.approx(10 * one)


def test_more_than_one_board_carries_is_said_and_told_by_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    limit = of(Load(0, 1, 0, 0)).board_limit
    assert main(["plan", "--players", "10", "--updates", str(int(limit * 0.9))]) == 0
    assert "First to be full is the core of Redis" in capsys.readouterr().out
    assert main(["plan", "--players", "10", "--updates", str(int(limit * 1.1))]) == 1
    assert "One board cannot carry this" in capsys.readouterr().out


def test_the_file_that_the_benchmarks_write_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = {entry["name"]: entry["median"] for entry in json.loads(MEASURED.read_text())}
    file = tmp_path / "benchmarks.json"
    write_json([figure(name, "", [median / 2], "limit", 1.0) for name, median in measured.items()], file)
    assert main(["plan", "--players", "10", "--updates", "4000", "--figures", str(file), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert set(plan["cores"]) == set(PARTS)
    assert plan["boardLimitUpdatesPerSecond"] == round(2 * of(Load(0, 1, 0, 0)).board_limit)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "lacks what an update costs"),
        ("nonsense", "is not what `make bench` writes"),
        ('[{"name": 1}]', "is not what `make bench` writes"),
        (None, "cannot be read"),
    ],
)
def test_a_file_without_figures_is_refused(tmp_path: Path, text: str | None, told: str) -> None:
    file = tmp_path / "benchmarks.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(CliError, match=told):
        planned(Load(1, 1, 1, 1), Figures.read(file))


@pytest.mark.parametrize(
    "name",
    [
        "GET /api/scores a CPU second",
        "CPU of a broadcast to 5000",
        "PostgreSQL, an account",
        "log-ins a CPU second",
        "CPU of one who joins, redis",
    ],
)
def test_each_figure_that_is_missing_is_named(name: str) -> None:
    measured = {entry["name"]: entry["median"] for entry in json.loads(MEASURED.read_text())}
    del measured[name]
    with pytest.raises(CliError, match="run all of `make bench`"):
        planned(Load(1, 1, 1, 1, 1), Figures(measured, MEASURED))


@pytest.mark.parametrize("given", ["-1", "1.5", "many", ""])
def test_what_is_no_count_is_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", f"--players={given}", "--updates", "1"])
    assert ended.value.code == 2
    assert "is not a whole number of 0 or more" in capsys.readouterr().err
