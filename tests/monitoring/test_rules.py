"""The rules are sound, each alert fires and clears, and each has its paragraph in the runbook."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from infra.monitoring.dashboards import operations, overview
from infra.monitoring.dashboards.runbook import paragraphs
from local_runtime.cli.main import build_parser
from tests.monitoring.rules import MONITORING, PROMETHEUS, RULES, alerts, groups, promtool

UNIT_TESTS = tuple(sorted(Path(__file__).parent.glob("*_test.yml")))
NAMES = [alert.name for alert in alerts()]


def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.parametrize("name", ["prometheus.yml", "remote.yml"])
def test_promtool_accepts_the_configurations(name: str, tmp_path: Path) -> None:
    """Files that only an operator has are put beside a copy."""
    shutil.copytree(PROMETHEUS, tmp_path, dirs_exist_ok=True)
    for file in ("metrics-token", "scoreboard-ca.pem"):
        (tmp_path / file).write_text("given by the operator")
    assert "2 rule files found" in promtool("check", "config", tmp_path / name)


def test_both_configurations_ask_for_the_same() -> None:
    """It is remote.yml under which the real Prometheus is tested."""
    local, remote = (yaml.safe_load((PROMETHEUS / name).read_text()) for name in ("prometheus.yml", "remote.yml"))
    for way in ("scheme", "authorization", "tls_config"):
        del remote["scrape_configs"][0][way]
    for configuration in (local, remote):
        del configuration["global"]["external_labels"]["scoreboard_url"]
        del configuration["scrape_configs"][0]["static_configs"]
    assert local == remote


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_the_unit_tests_of_the_rules_pass(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path)


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_test_sees_the_alert_fire_and_another_sees_it_clear(name: str) -> None:
    seen = [
        bool(check["exp_samples"])
        for path in UNIT_TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for check in test["promql_expr_test"]
        if f'alertname="{name}"' in check["expr"]
    ]
    assert set(seen) == {True, False}


def test_every_alert_says_how_urgent_it_is_and_what_to_do() -> None:
    for alert in alerts():
        assert alert.labels["severity"] in {"page", "ticket"}, alert.name
        assert alert.annotations.keys() == {"summary", "description", "runbook_url"}, alert.name
        assert alert.annotations["runbook_url"] == f"{{{{ $externalLabels.scoreboard_url }}}}/docs/runbook#{alert.name}"


def test_the_runbook_has_a_paragraph_for_each_alert_and_no_other() -> None:
    assert list(paragraphs()) == NAMES
    for name, text in paragraphs().items():
        for part in ("**Meaning.**", "**Look at**", "**Do**", "**Over**"):
            assert part in text, f"{name}: {part}"


def test_the_commands_of_the_runbook_exist() -> None:
    text = (MONITORING / "RUNBOOK.md").read_text()
    verbs = set(re.findall(r"`(?:echo [^`]*\| )?scoreboard ([a-z-]+)", text))
    known = {verb for action in build_parser()._actions for verb in action.choices or ()}
    assert verbs
    assert verbs <= known


def test_only_metrics_that_are_described_are_asked_for() -> None:
    described = set(re.findall(r"`(scoreboard_\w+)`", (MONITORING / "METRICS.md").read_text()))
    panels = [panel for rows in (overview.ROWS, operations.ROWS) for panels in rows.values() for panel in panels]
    asked = [query.expr for panel in panels for query in panel.queries]
    asked += [rule["expr"] for group in groups() for rule in group["rules"]]
    names = {re.sub(r"_(bucket|count|sum)$", "", name) for expr in asked for name in re.findall(r"\bscoreboard_\w+", expr)}
    assert len(names) > 20
    assert names <= described


def test_the_panels_that_the_runbook_names_exist() -> None:
    titles = {panel.title for rows in (overview.ROWS, operations.ROWS) for panels in rows.values() for panel in panels}
    named = set(re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", (MONITORING / "RUNBOOK.md").read_text()))
    assert named
    assert named - titles <= {"Scoreboard: overview", "How fast"}
