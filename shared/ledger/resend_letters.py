"""Publish refused updates again whose copies in RabbitMQ are lost."""

from __future__ import annotations

from collections.abc import Sequence

from shared.core.errors import PostgresUnavailable, RabbitUnavailable
from shared.core.logs import get_logger
from shared.ledger.dead_letter import REDRIVEN
from shared.ledger.letter_stores import LetterStores, sift_if_out_of_step, with_body

MOST_AT_ONCE = 1000
PATIENCE_SECONDS = 60.0
PATIENCE_BEHIND_SECONDS = 600.0
_log = get_logger(__name__)


def resend_letters(stores: LetterStores, retry_delays: Sequence[float]) -> int:
    """Returns how many were published. Stops quietly when PostgreSQL or RabbitMQ is away: the next run goes on.

    An update that waits for another try, or was redriven, is in some queue. When its time is over by PATIENCE_SECONDS and the
    queues are empty, it is in none. While they are not empty it may still be on its way, and gets PATIENCE_BEHIND_SECONDS.
    A second copy does no harm: the ledger ignores request ids it has.
    """
    try:
        sift_if_out_of_step(stores)
        patience = PATIENCE_BEHIND_SECONDS if stores.topology.backlog() else PATIENCE_SECONDS
        overdue = stores.letters.overdue(retry_delays, patience, MOST_AT_ONCE)
        for is_redriven in (False, True):
            letters = [whole for whole in overdue if (whole.letter.state == REDRIVEN) is is_redriven]
            if letters:
                stores.publisher.publish_again([with_body(whole, stores) for whole in letters], redriven=is_redriven)
    except (PostgresUnavailable, RabbitUnavailable) as error:
        _log.warning("refused updates are not looked after", extra={"code": error.code})
        return 0
    if overdue:
        request_ids = [whole.letter.request_id for whole in overdue if whole.letter.request_id is not None]
        _log.warning("refused updates were in no queue and are published again", extra={"updates": request_ids})
    return len(overdue)
