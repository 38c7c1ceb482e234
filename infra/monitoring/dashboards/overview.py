"""One look for everybody: are the promises kept, the four golden signals, and the way of an update from left to right."""

from __future__ import annotations

from infra.monitoring.dashboards.panel import Limits, Panel, Query
from infra.monitoring.dashboards.queries import JOBS, percentiles, quantile, rate, series

UPDATES = 'function="update_score"'
HTTP = 'trigger="http"'
FAILED = 'status=~"5.."'
LIVE_QUEUES = 'queue!~".+[.](dlq|retry.*)"'
PARKED = 'state="parked"'


def _kept(title: str, slo: str, target: str, objective: float, alerts: tuple[str, ...]) -> Panel:
    return Panel(
        title,
        f"Share of the last 30 days; promised: {target}. Red: the budget is spent.",
        "percentunit",
        [Query(f'1 - scoreboard:slo_failures:ratio30d{{{JOBS},slo="{slo}"}}', "{{job}}")],
        width=4,
        is_stat=True,
        limits=Limits(objective + (1 - objective) / 2, objective),
        alerts=alerts,
    )


def _budget_left(slo: str, budget: float) -> Query:
    return Query(f'clamp_min(1 - scoreboard:slo_failures:ratio30d{{{JOBS},slo="{slo}"}} / {budget}, 0)', slo)


PROMISES = (
    _kept(
        "Updates answered",
        "update_availability",
        "99.9 % without a failure of the server",
        0.999,
        ("UpdateAvailabilityBurnsFast", "UpdateAvailabilityBurnsSlowly"),
    ),
    _kept("Updates within 50 ms", "update_latency", "99 %", 0.99, ("UpdateLatencyBurnsFast", "UpdateLatencyBurnsSlowly")),
    _kept("Frames within 500 ms", "broadcast_lag", "99 %", 0.99, ("BroadcastLagBurnsFast", "BroadcastLagBurnsSlowly")),
    Panel(
        "Alerts firing",
        "How many; which ones and since when, below.",
        "none",
        [Query('count(ALERTS{alertstate="firing",job=~"$job"}) or vector(0)', "alerts")],
        width=4,
        is_stat=True,
        limits=Limits(1, 2),
    ),
    Panel(
        "Dead letters",
        "Acknowledged updates that the ledger does not have.",
        "none",
        [Query(f"max({series('dead_letters', PARKED)})", "messages")],
        width=4,
        is_stat=True,
        limits=Limits(1, 1),
        alerts=("DeadLetters",),
    ),
    Panel(
        "Discrepancies in a day",
        "Players whose score was not their ledger's, found by reconciliation.",
        "none",
        [
            Query(f"sum(increase({series('reconciliation_discrepancies_total')}[1d]))", "players"),
            Query(f"sum(increase({series('reconciliation_withheld_total')}[1d]))", "left as they are"),
        ],
        width=4,
        is_stat=True,
        limits=Limits(1, 1),
        alerts=("Discrepancies", "PointsWithoutProof"),
    ),
    Panel(
        "Alerts",
        "A band for each alert while it is pending or fires.",
        "none",
        [
            Query('count by (alertname, alertstate) (ALERTS{job=~"$job"})', "{{alertname}} {{alertstate}}"),
            Query("vector(0)", "none"),
        ],
        width=12,
    ),
    Panel(
        "Budget left",
        "Of the failures that 30 days may have; at 0 it is spent, and what is new should wait for what is safe.",
        "percentunit",
        [_budget_left("update_availability", 0.001), _budget_left("update_latency", 0.01), _budget_left("broadcast_lag", 0.01)],
        width=12,
        limits=Limits(0.5, 0.1),
    ),
)

SIGNALS = (
    Panel(
        "Traffic: updates",
        "Updates a second by what they were answered: 429 are players over their rate, 5xx the server's fault.",
        "reqps",
        [Query(rate("http_responses_total", UPDATES, by="status"), "{{status}}")],
        width=6,
        is_stacked=True,
    ),
    Panel(
        "Errors: answers of 5xx",
        "Share of all answers of the API. Orange: the month's budget; red: it is gone within two days.",
        "percentunit",
        [
            Query(
                f"({rate('http_responses_total', FAILED)} or vector(0)) / {rate('http_responses_total')}",
                "5xx",
            )
        ],
        width=6,
        limits=Limits(0.001, 0.0144),
        alerts=("UpdateAvailabilityBurnsFast", "UpdateAvailabilityBurnsSlowly"),
    ),
    Panel(
        "Latency: an update",
        "From the request read to the answer handed back; promised: 99 % within 50 ms.",
        "s",
        percentiles("function_duration_seconds", UPDATES, HTTP),
        width=6,
        limits=Limits(0.025, 0.05),
        alerts=("UpdateLatencyBurnsFast", "UpdateLatencyBurnsSlowly"),
    ),
    Panel(
        "Saturation: in flight",
        "Invocations under way, by trigger: a line that only rises is a part that no longer keeps up.",
        "short",
        [Query(f"sum by (trigger) ({series('function_in_flight')})", "{{trigger}}")],
        width=6,
    ),
)

WAY = (
    Panel(
        "1  Redis: the update's script",
        "Rate window, replay check, score and outbox in one round trip.",
        "s",
        percentiles("redis_command_duration_seconds", 'command="update_score"'),
        width=4,
        limits=Limits(0.01, 0.05),
        alerts=("UpdateLatencyBurnsFast",),
    ),
    Panel(
        "2  Outbox: oldest entry",
        "Updates that Redis keeps until the ledger has them. Above 150 s something on the way is down.",
        "s",
        [Query(f"max by (job) ({series('outbox_oldest_age_seconds')})", "{{job}}")],
        width=4,
        limits=Limits(60, 150),
        alerts=("OutboxOld",),
    ),
    Panel(
        "3  RabbitMQ: confirm",
        "From a publish to the broker's confirm that it is on disk.",
        "s",
        percentiles("publish_confirm_seconds"),
        width=4,
        limits=Limits(0.05, 0.5),
    ),
    Panel(
        "4  Queue: oldest message",
        "Waiting to be recorded or broadcast.",
        "s",
        [Query(f"max by (queue) ({series('queue_oldest_message_age_seconds', LIVE_QUEUES)})", "{{queue}}")],
        width=4,
        limits=Limits(10, 60),
        alerts=("LedgerBehind", "QueueGrowing"),
    ),
    Panel(
        "5  Ledger: record lag",
        "From the player's acknowledgement to the ledger's commit.",
        "s",
        percentiles("record_lag_seconds"),
        width=4,
        limits=Limits(1, 10),
        alerts=("LedgerBehind",),
    ),
    Panel(
        "6  Screen: broadcast lag",
        "From the acknowledgement to the frame in the viewers' sockets; promised: 99 % within 500 ms.",
        "s",
        percentiles("broadcast_lag_seconds"),
        width=4,
        limits=Limits(0.25, 0.5),
        alerts=("BroadcastLagBurnsFast", "BroadcastLagBurnsSlowly"),
    ),
)

VIEWERS = (
    Panel("Viewers", "Open WebSockets.", "short", [Query(f"sum by (job) ({series('websocket_connections')})", "{{job}}")]),
    Panel(
        "Frames",
        "Made: after conflation, at most ten a second. Sent: times the viewers. Dropped: intermediate ones of slow readers.",
        "ops",
        [
            Query(rate("broadcasts_total"), "made"),
            Query(rate("websocket_frames_sent_total"), "sent"),
            Query(rate("websocket_frames_dropped_total"), "dropped"),
        ],
    ),
    Panel("Bytes to viewers", "Handed to the sockets.", "Bps", [Query(rate("websocket_bytes_sent_total"), "bytes")]),
)

STORES = (
    Panel(
        "What works",
        "1 works, 0 does not; /readyz says why.",
        "none",
        [Query(f"min by (capability) ({series('capability')})", "{{capability}}")],
        width=6,
        limits=Limits(1, 0.5),
        alerts=("UpdatesRefused", "CapabilityLost"),
    ),
    Panel(
        "Dependencies",
        "1 is up, 0 is down.",
        "none",
        [Query(f"min by (dependency) ({series('dependency_up')})", "{{dependency}}")],
        width=6,
        limits=Limits(1, 0.5),
        alerts=("DependencyDown", "ScrapeDown"),
    ),
    Panel(
        "Rows inserted",
        "What PostgreSQL takes in, by table.",
        "ops",
        [Query(rate("postgresql_rows_inserted_total", by="table"), "{{table}}")],
        width=6,
        is_stacked=True,
    ),
    Panel(
        "Transaction time, p99",
        "By use case; record_scores bounds how fast the queue empties.",
        "s",
        [Query(quantile(0.99, "postgresql_transaction_duration_seconds", by="transaction"), "{{transaction}}")],
        width=6,
        limits=Limits(0.5, 5),
    ),
)

TRUST = (
    Panel(
        "Last reconciliation",
        "Leaderboard against ledger; once a day.",
        "s",
        [Query(f"time() - max by (job) ({series('reconciliation_last_success_timestamp_seconds')} > 0)", "{{job}}")],
        width=6,
        is_stat=True,
        limits=Limits(90_000, 93_600),
        alerts=("ReconciliationNotRun",),
    ),
    Panel(
        "Last seal of the audit log",
        "Once a minute while the log is written; a quiet night has nothing to seal.",
        "s",
        [Query(f"time() - max by (job) ({series('audit_last_seal_timestamp_seconds')} > 0)", "{{job}}")],
        width=6,
        is_stat=True,
        alerts=("AuditNotSealed",),
    ),
    Panel(
        "Seals that do not fit, in a day",
        "Anything but 0 is somebody who changed the audit log.",
        "none",
        [Query(f"sum(increase({series('audit_chain_broken_total')}[1d]))", "findings")],
        width=6,
        is_stat=True,
        limits=Limits(1, 1),
        alerts=("AuditChainBroken",),
    ),
    Panel(
        "Players refused in the last hour",
        "Rate limit, wrong token, wrong password: by code on the operations dashboard.",
        "none",
        [Query(f"sum(increase({series('refusals_total')}[1h]))", "refusals")],
        width=6,
        is_stat=True,
    ),
)

ROWS = {
    "Promises": PROMISES,
    "The four golden signals": SIGNALS,
    "The way of an update, from left to right": WAY,
    "Viewers": VIEWERS,
    "Stores": STORES,
    "Trust": TRUST,
}
