"""Which messages of score_updated_queue really tell of a change."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import BadMessage
from shared.logs import get_logger
from shared.ports import EventCodec

_log = get_logger(__name__)


def heed_changes(bodies: Sequence[bytes], codec: EventCodec) -> int:
    """The number of updates they tell of; what does not decrypt is logged and counts nothing: there is nothing to keep of it."""
    updates = 0
    for body in bodies:
        try:
            updates += codec.open_recorded(body).updates
        except BadMessage as error:
            _log.error("message of score_updated_queue ignored", extra={"reason": error.detail})
    return updates
