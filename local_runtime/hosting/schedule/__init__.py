"""Schedule expressions and the runner of schedules, with the semantics of Amazon EventBridge Scheduler."""

from local_runtime.hosting.schedule.events import DEFAULT_INPUT, build_event
from local_runtime.hosting.schedule.expression import InvalidSchedule, ScheduleExpression, parse_schedule

__all__ = ["DEFAULT_INPUT", "InvalidSchedule", "ScheduleExpression", "build_event", "parse_schedule"]
