"""Every few seconds, by what hosts consumers and schedules outside of AWS: may this instance do what one does at a time?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.container import container
from shared.operations.hold_leases import LeaseRequest, hold_leases
from shared.transport.direct import quiet_handler


@quiet_handler
def lambda_handler(event: Mapping[str, Any]) -> dict[str, Any]:
    """The input is `{"names": ["schedules", ...], "release"?: bool}`; answer which of them are held, and for how long."""
    deps = container()
    return hold_leases(deps.leases, deps.instance, LeaseRequest.parse(event))
