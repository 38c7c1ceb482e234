"""What a panel shows, said once; Grafana's JSON is made of it with Grafana's own library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, Threshold, ThresholdsMode

from infra.monitoring.dashboards.runbook import link

DATA_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, ORANGE, RED = "green", "orange", "red"
STAT_HEIGHT, GRAPH_HEIGHT = 5, 8


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; `legend` names its lines, with {{label}}."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a value turns orange and red; where red is below orange it is the low values that are bad."""

    orange: float
    red: float

    def build(self) -> dashboard.ThresholdsConfig:
        """Grafana's steps: each colour from its value upwards, the first one from the lowest."""
        steps = [Threshold(None, GREEN), Threshold(self.orange, ORANGE), Threshold(self.red, RED)]
        if self.red < self.orange:
            steps = [Threshold(None, RED), Threshold(self.red, ORANGE), Threshold(self.orange, GREEN)]
        return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph over time, or with `is_stat` the newest value in large; `unit` in Grafana's names, `width` of 24."""

    title: str
    description: str
    unit: str
    queries: Sequence[Query]
    width: int = 8
    is_stat: bool = False
    is_stacked: bool = False
    limits: Limits | None = None
    alerts: Sequence[str] = ()

    def build(self, number: int) -> timeseries.Panel | stat.Panel:
        """The panel as Grafana's library makes it."""
        panel = self._stat() if self.is_stat else self._graph()
        panel = panel.id(number).title(self.title).description(self.description).span(self.width).unit(self.unit)
        panel = panel.datasource(DATA_SOURCE)
        panel = panel.links(
            [dashboard.DashboardLink(f"Runbook: {alert}").type(DashboardLinkType.LINK).url(link(alert)) for alert in self.alerts]
        )
        if self.limits is not None:
            panel = panel.thresholds(self.limits.build())
        for letter, query in zip("ABCDEFGH", self.queries, strict=False):
            panel = panel.with_target(prometheus.Dataquery().ref_id(letter).expr(query.expr).legend_format(query.legend))
        return panel

    def _stat(self) -> stat.Panel:
        return stat.Panel().height(STAT_HEIGHT).reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))

    def _graph(self) -> timeseries.Panel:
        legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        graph = (
            timeseries.Panel()
            .height(GRAPH_HEIGHT)
            .line_width(1)
            .min(0)
            .legend(legend.show_legend(show_legend=True))
            .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        )
        if self.is_stacked:
            graph = graph.fill_opacity(40).stacking(common.StackingConfig().mode(StackingMode.NORMAL))
        if self.limits is not None:
            graph = graph.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
        return graph
