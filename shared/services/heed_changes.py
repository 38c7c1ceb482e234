"""Which messages of score_updated_queue really ask for a broadcast."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import BadMessage
from shared.invocation import note_updates
from shared.logs import get_logger
from shared.ports import EventCodec

_log = get_logger(__name__)


def heed_changes(bodies: Sequence[bytes], codec: EventCodec) -> bool:
    """Whether any does; what does not decrypt is logged and tells nothing: there is nothing to keep of it."""
    heard = False
    for body in bodies:
        try:
            note_updates(codec.open_recorded(body).request_ids)
            heard = True
        except BadMessage as error:
            _log.error("message of score_updated_queue ignored", extra={"reason": error.detail})
    return heard
