"""The dashboards as the JSON that Grafana loads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, text
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.text import TextMode

from infra.monitoring.dashboards import operations, overview, runbook
from infra.monitoring.dashboards.panel import DATA_SOURCE, Panel

DIRECTORY = Path(__file__).resolve().parent.parent / "grafana" / "dashboards"
TAG = "scoreboard"
PARAGRAPH_HEIGHT, PARAGRAPH_WIDTH = 8, 12


def dashboards() -> Iterator[tuple[Path, str]]:
    """Each file with the text it should have."""
    overview_uid, operations_uid = "scoreboard-overview", "scoreboard-operations"
    yield _file(overview_uid), _json(_measured("Scoreboard: overview", overview_uid, overview.ROWS))
    yield _file(operations_uid), _json(_measured("Scoreboard: operations", operations_uid, operations.ROWS))
    yield _file(runbook.UID), _json(_paragraphs())


def _file(uid: str) -> Path:
    return DIRECTORY / f"{uid}.json"


def _json(made: dashboard.Dashboard) -> str:
    return json.dumps(made.build(), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _new(title: str, uid: str) -> dashboard.Dashboard:
    others = dashboard.DashboardLink("Scoreboard").type(DashboardLinkType.DASHBOARDS).tags([TAG]).include_vars(include_vars=True)
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags([TAG])
        .readonly()
        .link(others.keep_time(keep_time=True).as_dropdown(as_dropdown=False))
    )


def _measured(title: str, uid: str, rows: Mapping[str, Sequence[Panel]]) -> dashboard.Dashboard:
    jobs = (
        dashboard.QueryVariable("job")
        .label("Scoreboard")
        .datasource(DATA_SOURCE)
        .query('label_values(up{job=~"scoreboard.*"}, job)')
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(include_all=True)
        .multi(multi=True)
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )
    made = (
        _new(title, uid)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-1h", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(jobs)
    )
    numbers = count(1)
    for heading, panels in rows.items():
        made = made.with_row(dashboard.Row(heading).id(next(numbers)))
        for panel in panels:
            made = made.with_panel(panel.build(next(numbers)))
    return made


def _paragraphs() -> dashboard.Dashboard:
    made = _new("Scoreboard: runbook", runbook.UID)
    ids = runbook.panel_ids()
    for alert, paragraph in runbook.paragraphs().items():
        panel = text.Panel().id(ids[alert]).title(alert).mode(TextMode.MARKDOWN).content(paragraph)
        made = made.with_panel(panel.height(PARAGRAPH_HEIGHT).span(PARAGRAPH_WIDTH))
    return made
