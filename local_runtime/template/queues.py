"""MQ events: the queues of RabbitMQ that are consumed."""

from __future__ import annotations

from collections.abc import Sequence

from local_runtime.manifest import Function, QueueBinding
from local_runtime.template.fields import Fields, Reading
from local_runtime.template.tree import Node

# What Lambda waits for a batch to fill when nothing is said.
DEFAULT_WINDOW_SECONDS = 0.5
_MAX_BATCH = 10_000
_MAX_WINDOW_SECONDS = 300


def read_queue_event(fields: Fields, event: Node, function: Function, reading: Reading) -> QueueBinding | None:
    """A queue with its batch size and window; None where it is not enabled.

    Where the broker is and how to log in is the instance's business here.
    """
    queue = _queue(fields, reading)
    if fields.node("Broker", required=True) is None:
        return None
    virtual_host = _access(fields, event, reading)
    batch_size = fields.integer("BatchSize", 1, _MAX_BATCH, default=100)
    window = fields.integer("MaximumBatchingWindowInSeconds", 0, _MAX_WINDOW_SECONDS, default=-1)
    enabled = fields.only("Enabled", ("true", "false"), "true") == "true"
    fields.without_effect(("DynamicPolicyName", "KmsKeyArn", "SecretsManagerKmsKeyId"))
    fields.finish()
    if queue is None or not enabled:
        return None
    return QueueBinding(function, queue, virtual_host, batch_size, DEFAULT_WINDOW_SECONDS if window < 0 else float(window))


def _queue(fields: Fields, reading: Reading) -> str | None:
    node = fields.node("Queues", required=True)
    queues = None if node is None else reading.value(node)
    if node is None or queues is None:
        return None
    if not isinstance(queues, list) or len(queues) != 1 or not isinstance(queues[0], str) or not queues[0]:
        reading.report.add(node, "a mapping consumes exactly one queue", "a list of one name")
        return None
    return queues[0]


def _access(fields: Fields, event: Node, reading: Reading) -> str:
    """The virtual host; the login, which must be there, is used in the cloud only."""
    virtual_host, has_login = "/", False
    configurations = fields.node("SourceAccessConfigurations", required=True)
    for item in configurations.items if configurations else ():
        entry = Fields(item, reading, "source access configuration")
        kind = entry.only("Type", ("BASIC_AUTH", "VIRTUAL_HOST"), "")
        uri = entry.node("URI", required=True)
        entry.finish()
        has_login = has_login or kind == "BASIC_AUTH"
        if kind == "VIRTUAL_HOST" and uri is not None:
            virtual_host = str(reading.value(uri) or "/")
    if configurations is not None and not has_login:
        reading.report.add(event, "SourceAccessConfigurations has no BASIC_AUTH", "BASIC_AUTH with the ARN of a secret")
    return virtual_host


def check_queues(bindings: Sequence[tuple[QueueBinding, Node]], reading: Reading) -> None:
    """Two consumers of one queue would each get half of it."""
    seen: dict[tuple[str, str], QueueBinding] = {}
    for binding, event in bindings:
        first = seen.setdefault((binding.virtual_host, binding.queue), binding)
        if first is not binding:
            reading.report.add(event, f"the queue {binding.queue} is already consumed by {first.function.logical_id}")
