"""The dashboards are what Grafana's own models know, laid out without overlap, and say what they show."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from infra.monitoring.dashboards import operations, overview, runbook
from infra.monitoring.dashboards.document import DIRECTORY, dashboards
from infra.monitoring.dashboards.panel import Panel
from tests.monitoring.rules import MONITORING, alerts

DOCUMENTS: dict[str, Any] = {path.stem: json.loads(text) for path, text in dashboards()}
PANELS: list[Panel] = [panel for rows in (overview.ROWS, operations.ROWS) for panels in rows.values() for panel in panels]
COLUMNS = 24


@pytest.mark.parametrize("name", DOCUMENTS)
def test_grafanas_models_read_it_and_write_the_same(name: str) -> None:
    register_default_plugins()
    read = Dashboard.from_json(DOCUMENTS[name])
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == DOCUMENTS[name]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_panels_have_numbers_of_their_own_and_places_of_their_own(name: str) -> None:
    panels = DOCUMENTS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= COLUMNS, panel["title"]
        taken |= cells


def test_every_panel_says_what_it_shows_and_chooses_by_job() -> None:
    for panel in PANELS:
        assert panel.description.endswith("."), panel.title
        assert panel.unit, panel.title
        for query in panel.queries:
            assert 'job=~"$job"' in query.expr or query.expr == "vector(0)", panel.title
            assert query.legend, panel.title


def test_every_alert_has_a_panel_that_links_to_its_paragraph() -> None:
    assert {alert for panel in PANELS for alert in panel.alerts} == {alert.name for alert in alerts()}
    paragraphs = {panel["id"]: panel for panel in DOCUMENTS[runbook.UID]["panels"]}
    for document in DOCUMENTS.values():
        for panel in document["panels"]:
            for link in panel.get("links", []):
                number = re.fullmatch(rf"/d/{runbook.UID}\?viewPanel=(\d+)", link["url"])
                assert number, link
                paragraph = paragraphs[int(number[1])]
                assert link["title"] == f"Runbook: {paragraph['title']}"
                assert paragraph["options"]["content"].startswith("**Meaning.**")


def test_grafana_is_told_where_the_dashboards_are() -> None:
    provider = yaml.safe_load((DIRECTORY / "scoreboard.yaml").read_text())["providers"][0]
    path = provider["options"]["path"].replace("${GF_PATHS_PROVISIONING}", str(MONITORING / "grafana"))
    assert path == str(DIRECTORY)
    source = yaml.safe_load((MONITORING / "grafana" / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    assert source["type"] == "prometheus"
