"""The event a schedule delivers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local_runtime.hosting.manifest import Schedule

ACCOUNT_ID = "000000000000"

# What EventBridge Scheduler sends when a schedule has no Input.
DEFAULT_INPUT = {
    "version": "0",
    "id": "<aws.scheduler.execution-id>",
    "detail-type": "Scheduled Event",
    "source": "aws.scheduler",
    "account": ACCOUNT_ID,
    "time": "<aws.scheduler.scheduled-time>",
    "region": "us-east-1",
    "resources": ["<aws.scheduler.schedule-arn>"],
    "detail": "{}",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver one occurrence; `number` counts from 1."""

    scheduled_at: datetime
    number: int
    execution_id: str


def build_event(schedule: Schedule, attempt: Attempt, region: str) -> Any:
    """The schedule's Input with the context attributes filled in; the classic scheduled event when the manifest has none."""
    if schedule.input is None:
        return _classic_event(schedule, attempt, region)
    text = json.dumps(schedule.input)
    values = {
        "schedule-arn": f"arn:aws:scheduler:{region}:{ACCOUNT_ID}:schedule/default/{schedule.name}",
        "scheduled-time": _spell(attempt.scheduled_at),
        "execution-id": attempt.execution_id,
        "attempt-number": str(attempt.number),
    }
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return json.loads(text)


def _classic_event(schedule: Schedule, attempt: Attempt, region: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": attempt.execution_id,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT_ID,
        "time": _spell(attempt.scheduled_at),
        "region": region,
        "resources": [f"arn:aws:events:{region}:{ACCOUNT_ID}:rule/{schedule.name}"],
        "detail": {},
    }


def _spell(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
