"""Depth for who looks for a cause: every function, command, queue and process by itself."""

from __future__ import annotations

from infra.monitoring.dashboards.overview import LIVE_QUEUES
from infra.monitoring.dashboards.panel import Limits, Panel, Query
from infra.monitoring.dashboards.queries import JOBS, percentiles, quantile, rate, series

NOT_OK = 'outcome!="ok"'
MISS = 'result="miss"'

BUDGETS = (
    Panel(
        "Failing share, 5 minutes",
        "Of each promise's events.",
        "percentunit",
        [Query(f"scoreboard:slo_failures:ratio5m{{{JOBS}}}", "{{slo}}")],
        width=12,
        alerts=("UpdateAvailabilityBurnsFast", "UpdateLatencyBurnsFast", "BroadcastLagBurnsFast"),
    ),
    Panel(
        "Failing share, 6 hours",
        "What tickets look at.",
        "percentunit",
        [Query(f"scoreboard:slo_failures:ratio6h{{{JOBS}}}", "{{slo}}")],
        width=12,
        alerts=("UpdateAvailabilityBurnsSlowly", "UpdateLatencyBurnsSlowly", "BroadcastLagBurnsSlowly"),
    ),
)

FUNCTIONS = (
    Panel(
        "Invocations by function",
        "HTTP, queues, schedules and WebSockets alike.",
        "ops",
        [Query(rate("function_invocations_total", by="function"), "{{function}}")],
    ),
    Panel(
        "Invocations that failed",
        "Everything whose outcome is not ok.",
        "ops",
        [
            Query(
                f"{rate('function_invocations_total', NOT_OK, by='function, outcome')} or vector(0)",
                "{{function}} {{outcome}}",
            )
        ],
        alerts=("ScheduledFunctionFailing",),
    ),
    Panel(
        "Time of a function, p99",
        "By function; issue_token and register_user hash passwords and are slow on purpose.",
        "s",
        [Query(quantile(0.99, "function_duration_seconds", by="function"), "{{function}}")],
    ),
    Panel(
        "Answers by status",
        "All of the API.",
        "reqps",
        [Query(rate("http_responses_total", by="status"), "{{status}}")],
        is_stacked=True,
    ),
    Panel(
        "Refusals by code",
        "Every problem answered, by its stable code.",
        "ops",
        [Query(rate("refusals_total", by="code"), "{{code}}")],
        is_stacked=True,
    ),
    Panel(
        "Invocations in flight",
        "By function.",
        "short",
        [Query(f"sum by (function) ({series('function_in_flight')})", "{{function}}")],
    ),
    Panel(
        "Token cache hits",
        "Share of tokens whose signature had been verified before; a fall costs CPU.",
        "percentunit",
        [Query(f"1 - {rate('token_cache_lookups_total', MISS)} / {rate('token_cache_lookups_total')}", "hits")],
        limits=Limits(0.9, 0.5),
    ),
    Panel(
        "Update: time by share",
        "How the updates' times are spread.",
        "s",
        [
            Query(quantile(share, "function_duration_seconds", 'function="update_score"', 'trigger="http"'), f"p{share * 100:g}")
            for share in (0.5, 0.9, 0.99, 0.999)
        ],
        limits=Limits(0.025, 0.05),
        alerts=("UpdateLatencyBurnsFast", "UpdateLatencyBurnsSlowly"),
    ),
    Panel(
        "Connections turned away",
        "They got no place, or had to give way to others.",
        "ops",
        [Query(rate("connections_turned_away_total"), "connections")],
    ),
)

REDIS = (
    Panel(
        "Script time, p99",
        "By script or command.",
        "s",
        [Query(quantile(0.99, "redis_command_duration_seconds", by="command"), "{{command}}")],
        limits=Limits(0.01, 0.05),
    ),
    Panel(
        "Commands",
        "Round trips a second.",
        "ops",
        [Query(rate("redis_command_duration_seconds_count", by="command"), "{{command}}")],
        is_stacked=True,
    ),
    Panel(
        "Commands that failed",
        "By script or command.",
        "ops",
        [Query(f"{rate('redis_errors_total', by='command')} or vector(0)", "{{command}}")],
        alerts=("DependencyDown",),
    ),
    Panel(
        "Outbox",
        "Updates that the ledger does not have yet, and those that are in no store.",
        "short",
        [
            Query(f"max by (job) ({series('outbox_entries')})", "entries"),
            Query(f"max by (job) ({series('updates_in_flight')})", "in flight"),
            Query(rate("outbox_dropped_total"), "dropped a second"),
        ],
        alerts=("OutboxOld", "UpdatesInFlight"),
    ),
    Panel("Publish confirm", "From publish to confirm.", "s", percentiles("publish_confirm_seconds"), limits=Limits(0.05, 0.5)),
    Panel(
        "Publishes that failed",
        "They stay in the outbox, and relay_outbox publishes them. Of them the broker refused, by reason.",
        "ops",
        [
            Query(rate("publish_failures_total"), "publishes"),
            Query(rate("publish_refusals_total", by="reason"), "{{reason}}"),
        ],
        alerts=("OutboxOld", "PublishesRefused"),
    ),
)

QUEUES = (
    Panel(
        "Queue length",
        "Messages that wait.",
        "short",
        [Query(f"max by (queue) ({series('queue_messages', LIVE_QUEUES)})", "{{queue}}")],
        limits=Limits(1_000, 10_000),
        alerts=("QueueGrowing",),
    ),
    Panel(
        "Retries and dead letters",
        "What waits for another try, is parked, or was redriven and is not settled yet.",
        "short",
        [Query(f"max by (state) ({series('dead_letters')})", "{{state}}")],
        limits=Limits(1, 1),
        alerts=("DeadLetters",),
    ),
    Panel(
        "Consumers",
        "Who takes from each queue; 0 is nobody.",
        "none",
        [Query(f"max by (queue) ({series('queue_consumers', LIVE_QUEUES)})", "{{queue}}")],
        limits=Limits(1, 0.5),
        alerts=("QueueWithoutConsumer",),
    ),
    Panel(
        "Messages refused",
        "Retried or parked by the consumer.",
        "ops",
        [Query(f"{rate('queue_messages_refused_total', by='outcome')} or vector(0)", "{{outcome}}")],
        alerts=("DeadLetters",),
    ),
    Panel("Batch size", "Messages of a batch; at 500 the consumer is at its limit.", "short", percentiles("record_batch_size")),
    Panel(
        "Record lag",
        "From acknowledgement to commit.",
        "s",
        percentiles("record_lag_seconds"),
        limits=Limits(1, 10),
        alerts=("LedgerBehind",),
    ),
)

DEPTHS = (
    Panel(
        "Transaction time",
        "All of PostgreSQL's transactions.",
        "s",
        percentiles("postgresql_transaction_duration_seconds"),
        limits=Limits(0.5, 5),
    ),
    Panel(
        "Broadcast lag",
        "From acknowledgement to the sockets.",
        "s",
        percentiles("broadcast_lag_seconds"),
        limits=Limits(0.25, 0.5),
    ),
    Panel(
        "Time to offer a frame",
        "To every viewer of a worker.",
        "s",
        percentiles("broadcast_duration_seconds"),
        limits=Limits(0.04, 0.25),
    ),
    Panel("Size of a frame", "The newest one.", "bytes", [Query(f"max({series('broadcast_frame_bytes')})", "bytes")]),
    Panel(
        "Processes started again",
        "In a quarter of an hour, by process.",
        "none",
        [Query(f"sum by (process) (increase({series('process_restarts_total')}[15m]))", "{{process}}")],
        limits=Limits(1, 3),
        alerts=("ProcessesRestarting",),
    ),
    Panel(
        "Room on the disk",
        "Of the data directory; below 64 MB no change is accepted.",
        "bytes",
        [Query(f"min({series('data_directory_free_bytes')})", "free")],
        limits=Limits(2e9, 1e9),
        alerts=("DiskNearlyFull",),
    ),
    Panel(
        "Version",
        "What runs.",
        "none",
        [Query(f"count by (version) ({series('build_info')})", "{{version}}")],
        is_stat=True,
    ),
)

ROWS = {
    "Promises": BUDGETS,
    "Functions": FUNCTIONS,
    "Redis, outbox and publishing": REDIS,
    "Queues": QUEUES,
    "Ledger, broadcast and processes": DEPTHS,
}
