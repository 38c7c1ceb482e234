"""What a broker gives back is never taken for confirmed, however its answers are cut into reads."""

from __future__ import annotations

from typing import cast

import pytest

from shared.stores.rabbitmq.delivery import Delivery, Group
from shared.stores.rabbitmq.frames import Confirm
from shared.stores.rabbitmq.link import Link
from shared.stores.rabbitmq.publishing_session import PublishingSession


def session_with(*deliveries: Delivery) -> PublishingSession:
    session = PublishingSession(cast("Link", None))
    session.add(deliveries, Group(None))
    return session


def given_back(session: PublishingSession, delivery: Delivery) -> None:
    session.return_begins(delivery.queue)
    session.is_returned(delivery.message_id)


def confirmed(session: PublishingSession, tag: int) -> tuple[list[Delivery], list[Delivery]]:
    return session.parted(session.ended(Confirm(tag, is_ack=True, multiple=False)))


@pytest.mark.parametrize("ids", [("1", "2"), (None, None)], ids=["with ids", "without ids"])
def test_the_second_return_may_come_before_the_first_confirm(ids: tuple[str | None, str | None]) -> None:
    first, second = (Delivery("queue", b"", id_) for id_ in ids)
    session = session_with(first, second)
    given_back(session, first)
    given_back(session, second)
    assert confirmed(session, 1) == ([], [first])
    assert confirmed(session, 2) == ([], [second])


def test_what_is_confirmed_together_with_a_return_counts_as_given_back_without_an_id() -> None:
    messages = [Delivery("queue", b"", None), Delivery("queue", b"", None), Delivery("queue", b"", None)]
    session = session_with(*messages)
    given_back(session, messages[1])
    found = session.parted(session.ended(Confirm(2, is_ack=True, multiple=True)))
    assert found == ([], messages[:2])
    assert confirmed(session, 3) == ([messages[2]], []), "what came later is not held against the next"
