"""Which messages of score_updated_queue really ask for a broadcast."""

from __future__ import annotations

from collections.abc import Sequence

from shared.core.errors import BadMessage
from shared.core.invocation import note_updates
from shared.core.logs import get_logger
from shared.ledger.events import ScoresRecorded
from shared.ledger.messages import EventCodec

_log = get_logger(__name__)


def heed_changes(bodies: Sequence[bytes], codec: EventCodec) -> list[ScoresRecorded]:
    """Those that do; what does not decrypt is logged and tells nothing: there is nothing to keep of it."""
    heard: list[ScoresRecorded] = []
    for body in bodies:
        try:
            heard.append(codec.open_recorded(body))
            note_updates(heard[-1].request_ids)
        except BadMessage as error:
            _log.error("message of score_updated_queue ignored", extra={"reason": error.detail})
    return heard
