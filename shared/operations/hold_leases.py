"""What one of several instances does at a time, and whether an instance may join the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.core.errors import ConfigurationError, InvalidParameter, LeftToNewer, PostgresUnavailable
from shared.core.instance import MESSAGES, MUST_AGREE, Instance
from shared.core.logs import get_logger

if TYPE_CHECKING:
    from shared.stores.leases import Leases
    from shared.stores.postgresql.migrations import Migrations


LEASE_SECONDS = 8.0
JOINING_SECONDS = 120.0  # an instance is starting, and renews nothing yet
MAX_NAMES, MAX_LENGTH = 32, 200
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """Which leases an instance takes or renews, or releases."""

    names: Sequence[str]
    is_release: bool

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> LeaseRequest:
        """Read `{"names": [text, ...], "release"?: bool}`; raises InvalidParameter."""
        names, release = body.get("names"), body.get("release", False)
        if not isinstance(names, list) or not 0 < len(names) <= MAX_NAMES:
            raise InvalidParameter(f"`names` must be a list of 1 to {MAX_NAMES} names.")
        if not all(isinstance(name, str) and 0 < len(name) <= MAX_LENGTH for name in names):
            raise InvalidParameter(f"A name of a lease has 1 to {MAX_LENGTH} characters.")
        if not isinstance(release, bool):
            raise InvalidParameter("`release` must be true or false.")
        return cls(sorted(set(names)), release)


def hold_leases(leases: Leases, instance: Instance, request: LeaseRequest) -> dict[str, Any]:
    """Answer `{"held": {name: fencing}, "others": {name: holder}, "seconds": n}`: `seconds` from when it was asked the held ones
    are this instance's. With the store away it answers `{"away": true}`: then nothing has changed.
    """
    try:
        if request.is_release:
            leases.release(request.names, instance.instance_id)
            return {"held": {}, "others": {}, "seconds": 0.0}
        held = leases.hold(
            request.names,
            instance.instance_id,
            LEASE_SECONDS,
            successor_of=instance.former_id,
            detail=instance.detail,
        )
        others = leases.holders([name for name in request.names if name not in held])
    except PostgresUnavailable:
        return {"away": True}
    return {"held": held, "others": others, "seconds": LEASE_SECONDS}


def join_instances(leases: Leases, instance: Instance, migrations: Migrations) -> None:
    """Say that this instance is there, unless it and one that is there already would harm each other: raises ConfigurationError.

    Of two that join at the same moment with different settings each sees the other, and both are refused. A newer version that
    changes the schema meanwhile sees this instance, or this instance sees that it has.
    """
    own = [instance.presence]
    if instance.instance_id:
        leases.hold(own, instance.instance_id, JOINING_SECONDS, successor_of=instance.former_id, detail=instance.detail)
    try:
        migrations.refuse_outdated()
    except ConfigurationError:
        leases.release(own, instance.instance_id)
        raise
    differences = instance.differences(leases.details_of_others((instance.instance_id, instance.former_id)))
    refused = {name: values for name, values in differences.items() if name in MUST_AGREE}
    if refused:
        leases.release(own, instance.instance_id)
        told = "; ".join(f"{name} is {instance.settings[name]!r} here and {_listed(refused[name])} there" for name in refused)
        raise ConfigurationError(
            f"another instance works on these stores with other settings: {told}. Give all instances the same, and change it only"
            f" while none runs (one that was killed counts for {LEASE_SECONDS:g} s, or {JOINING_SECONDS:g} s if it was starting)"
        )
    for name, values in differences.items():
        _log.warning(
            "another instance on these stores has another setting: each goes by its own",
            extra={"setting": name, "here": instance.settings[name], "there": values},
        )


def leave_to_newer(leases: Leases, instance: Instance) -> None:
    """For whoever has a message in an unknown form: raises LeftToNewer while an instance runs that knows newer ones."""
    others = leases.details_of_others((instance.instance_id, instance.former_id))
    if any(other.get(MESSAGES, 0) > instance.messages for other in others):
        raise LeftToNewer("a message is of a newer version, and an instance of that is running: it is left to it")


def _listed(values: Sequence[Any]) -> str:
    return " and ".join(repr(value) for value in values)
