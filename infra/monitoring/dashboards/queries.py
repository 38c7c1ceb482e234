"""The few shapes that all PromQL of the dashboards has."""

from __future__ import annotations

from infra.monitoring.dashboards.panel import Query

JOBS = 'job=~"$job"'


def series(name: str, *matchers: str) -> str:
    """A metric of the chosen jobs."""
    return f"scoreboard_{name}{{{','.join([JOBS, *matchers])}}}"


def rate(name: str, *matchers: str, by: str = "") -> str:
    """How fast a counter rises, a second."""
    total = f"sum by ({by}) " if by else "sum"
    return f"{total}(rate({series(name, *matchers)}[$__rate_interval]))"


def quantile(share: float, name: str, *matchers: str, by: str = "") -> str:
    """A quantile of a histogram of seconds or sizes."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {rate(f'{name}_bucket', *matchers, by=labels)})"


def percentiles(name: str, *matchers: str) -> tuple[Query, Query]:
    """The median and what one in a hundred exceeds."""
    return Query(quantile(0.5, name, *matchers), "p50"), Query(quantile(0.99, name, *matchers), "p99")
