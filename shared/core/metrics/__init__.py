"""Everything the layer measures, by name; how the numbers leave the process is `export`'s affair.

No label has values that a client can choose: they are names out of our own code, template or table of errors.
"""

from __future__ import annotations

from shared.core.metrics.instruments import Registry

FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LAG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)

# What hosts count of the functions: the local runtime, and on Lambda the exporter

of_host = Registry()

invocations = of_host.counter("function_invocations_total", "Invocations by outcome", ("function", "trigger", "outcome"))
invocation_seconds = of_host.histogram(
    "function_duration_seconds", "Duration of invocations", ("function", "trigger"), bounds=DURATIONS
)
responses = of_host.counter("http_responses_total", "Answers to HTTP requests for a function", ("function", "status"))

# What the layer counts itself

registry = Registry()

redis_command_seconds = registry.histogram(
    "redis_command_duration_seconds", "Time of a Redis script, command or pipeline, its way included", ("command",), bounds=FAST
)
redis_errors = registry.counter("redis_errors_total", "Redis scripts, commands and pipelines that failed", ("command",))

rows_inserted = registry.counter(
    "postgresql_rows_inserted_total",
    "Rows added to a table",
    ("table",),
    known=[("score_history",), ("score_entries",), ("audit_log",), ("users",), ("audit_seals",)],
)
transaction_seconds = registry.histogram(
    "postgresql_transaction_duration_seconds", "Time from BEGIN to the end of COMMIT or ROLLBACK", ("transaction",), bounds=FAST
)

record_batch_size = registry.histogram(
    "record_batch_size", "Messages in a batch of record_scores", bounds=SIZES, unit="Count"
).of()
record_lag_seconds = registry.histogram(
    "record_lag_seconds", "Time from the acceptance of an update until the ledger has it", bounds=LAG
).of()
updates_repeated = registry.counter(
    "updates_repeated_total",
    "Updates accepted twice, because Redis had lost the first acceptance; whether the second one counts, too",
    ("counts",),
    known=[("true",), ("false",)],
)
messages_refused = registry.counter(
    "queue_messages_refused_total",
    "Messages that could not be recorded: retried later, or parked among the dead letters",
    ("outcome",),
    known=[("retried",), ("parked",)],
)

publish_confirm_seconds = registry.histogram(
    "publish_confirm_seconds",
    "Time from the handing over of the first message of a write until the broker has confirmed them",
    bounds=FAST,
).of()
publish_refusals = registry.counter(
    "publish_refusals_total",
    "Messages that the broker said no to: nacked, or unroutable because their queue is missing",
    ("reason",),
    known=[("nacked",), ("unroutable",)],
)
publish_failures = registry.counter("publish_failures_total", "Messages not confirmed in time, or not taken at all").of()

outbox_dropped = registry.counter(
    "outbox_dropped_total", "Updates dropped from a full outbox before the ledger had them: the broker alone has them"
).of()

broadcast_lag_seconds = registry.histogram(
    "broadcast_lag_seconds",
    "Time from the acceptance of the oldest update that a frame was made for until viewers were given the frame",
    bounds=LAG,
)

reconciliation_runs = registry.counter(
    "reconciliation_runs_total", "Reconciliations that came to their end", ("dry_run",), known=[("true",), ("false",)]
)
discrepancies = registry.counter(
    "reconciliation_discrepancies_total",
    "Players whose score on the leaderboard did not agree with the ledger",
    ("repaired",),
    known=[("true",), ("false",)],
)
lowerings_withheld = registry.counter(
    "reconciliation_withheld_total",
    "Players whose score is above what the ledger has, and was not lowered: no proof, or beyond the bounds",
).of()
audit_chain_broken = registry.counter(
    "audit_chain_broken_total", "Times that the end of the audit log's chain was not what it had been"
).of()

refusals = registry.counter("refusals_total", "Problems answered, by their stable code", ("code",))
token_cache_lookups = registry.counter(
    "token_cache_lookups_total",
    "Access tokens that this process knew (hit), whose signature it or another worker had checked (marked), and others (miss)",
    ("result",),
    known=[("hit",), ("marked",), ("miss",)],
)

# Things that exist once, measured by measure_stores

queue_messages = registry.gauge("queue_messages", "Messages that wait in a queue", ("queue",))
queue_oldest_age_seconds = registry.gauge(
    "queue_oldest_message_age_seconds", "How long the oldest message of a queue has waited, at most", ("queue",), unit="Seconds"
)
queue_consumers = registry.gauge("queue_consumers", "Consumers of a queue", ("queue",))
outbox_entries = registry.gauge("outbox_entries", "Accepted updates that the ledger does not have yet")
outbox_oldest_age_seconds = registry.gauge("outbox_oldest_age_seconds", "How long the oldest of them has waited", unit="Seconds")
shard_outbox_entries = registry.gauge(
    "shard_outbox_entries", "Accepted entries on boards of a further shard that the ledger does not have yet", ("shard",)
)
shard_outbox_oldest_age_seconds = registry.gauge(
    "shard_outbox_oldest_age_seconds", "How long the oldest of them has waited", ("shard",), unit="Seconds"
)
updates_in_flight = registry.gauge(
    "updates_in_flight", "Accepted updates that are in no store: published and not yet recorded, or lost"
)
dead_letters = registry.gauge("dead_letters", "Messages that the ledger did not take: waiting, parked or redriven", ("state",))
reconciliation_last_success = registry.gauge(
    "reconciliation_last_success_timestamp_seconds", "When the last reconciliation came to its end", unit="Seconds"
)
audit_last_seal = registry.gauge(
    "audit_last_seal_timestamp_seconds", "When the newest seal of the audit log was made", unit="Seconds"
)
dependency_up = registry.gauge("dependency_up", "Whether a store answers: 1 or 0", ("dependency",))
capability = registry.gauge(
    "capability", "Whether this instance can do it (accept updates, record, broadcast, log in, read): 1 or 0", ("capability",)
)
MEASURED = (
    queue_messages,
    queue_oldest_age_seconds,
    queue_consumers,
    outbox_entries,
    outbox_oldest_age_seconds,
    shard_outbox_entries,
    shard_outbox_oldest_age_seconds,
    updates_in_flight,
    dead_letters,
    reconciliation_last_success,
    audit_last_seal,
    dependency_up,
    capability,
)
