"""EventBridge schedules: the event is exactly the template's Input."""

from __future__ import annotations

from shared.transport.direct import direct_handler

schedule_handler = direct_handler  # errors escape here, too: so that they are retried
