"""Action tickets: what is signed reads back, and nobody else can sign."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.accounts.player import Caller
from shared.accounts.redis import RequestLimits
from shared.accounts.request_limit import RequestKind
from shared.boards.action_tickets import LIFETIME_SECONDS, ActionTicket, issue_action_ticket
from shared.boards.hmac_tickets import MAX_TEXT_LENGTH, TicketSigner
from shared.core.errors import ConfigurationError, InvalidActionTicket, NotAPlayer, NotYourScore

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
SIGNER = TicketSigner({"new": NEW, "old": OLD})
NOW = datetime(2026, 11, 23, 12, 0, 0, 123_456, tzinfo=UTC)
TICKET = ActionTicket.new("u-1", "7f2d9c1e-5a5b-4c3d-8e9f-0a1b2c3d4e5f", NOW)


class Standing:
    """A clock that stands."""

    def now(self) -> datetime:
        return NOW


class Unlimited(RequestLimits):
    """Limits that are never reached."""

    def __init__(self) -> None:
        pass

    def admit(self, kind: RequestKind, *, source_ip: str = "", user_id: str = "") -> None:
        assert (kind, source_ip, user_id) == ("action_ticket", "", "u-1")

    def begin(self) -> None:
        raise AssertionError


def issue(user_id: str = "u-1", role: Any = "player") -> dict[str, str]:
    return issue_action_ticket(user_id, Caller("u-1", role, NOW), Unlimited(), SIGNER, cast("Any", Standing())).as_json()


def test_a_ticket_lives_a_minute_in_whole_milliseconds() -> None:
    assert LIFETIME_SECONDS == 60
    assert TICKET.expires_at == datetime(2026, 11, 23, 12, 1, 0, 123_000, tzinfo=UTC)


def test_an_issued_ticket_says_what_it_holds() -> None:
    issued = issue()
    ticket = SIGNER.verify(issued["ticket"])
    assert UUID(issued["requestId"]).version == 4
    assert ticket == ActionTicket(issued["requestId"], "u-1", TICKET.expires_at)
    assert issued["expiresAt"] == "2026-11-23T12:01:00.123Z"
    assert issue()["requestId"] != issued["requestId"]


def test_a_ticket_is_for_the_caller_who_must_be_a_player() -> None:
    with pytest.raises(NotYourScore):
        issue("u-2")
    with pytest.raises(NotAPlayer):
        issue(role="admin")
    TICKET.must_belong_to("u-1")
    with pytest.raises(InvalidActionTicket):
        TICKET.must_belong_to("u-2")


@given(
    request_id=st.uuids(),
    user_id=st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=36),
    expires_in_ms=st.integers(0, 10**12),
)
def test_what_is_signed_reads_back_and_fits_a_header(request_id: UUID, user_id: str, expires_in_ms: int) -> None:
    ticket = ActionTicket(str(request_id), user_id, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=expires_in_ms))
    text = SIGNER.sign(ticket)
    assert SIGNER.verify(text) == ticket
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= MAX_TEXT_LENGTH


@given(place=st.integers(0), character=st.characters(codec="ascii"))
def test_a_changed_character_is_noticed(place: int, character: str) -> None:
    text = SIGNER.sign(TICKET)
    place %= len(text)
    changed = text[:place] + character + text[place + 1 :]
    if changed != text:
        with pytest.raises(InvalidActionTicket):
            SIGNER.verify(changed)


@given(st.text())
def test_nonsense_is_no_ticket(text: str) -> None:
    key_id, fields, signature = SIGNER.sign(TICKET).split(".")
    for forged in (text, f"new.{text}", f"{key_id}.{fields}.{text}", f"{key_id}.{text}.{signature}"):
        if forged != SIGNER.sign(TICKET):
            with pytest.raises(InvalidActionTicket):
                SIGNER.verify(forged)


@pytest.mark.parametrize("text", ["", ".", "..", "new", "new.", "new..", "x" * 100_000, "ü", "\ud800"])
def test_what_has_not_even_the_shape_is_no_ticket(text: str) -> None:
    with pytest.raises(InvalidActionTicket):
        SIGNER.verify(text)


def test_a_ticket_of_an_older_key_is_good_until_that_key_is_gone() -> None:
    before = TicketSigner({"old": OLD}).sign(TICKET)
    assert SIGNER.verify(before) == TICKET
    assert SIGNER.sign(TICKET).startswith("new.")
    with pytest.raises(InvalidActionTicket):
        TicketSigner({"new": NEW}).verify(before)
    with pytest.raises(InvalidActionTicket):
        TicketSigner({"old": NEW}).verify(before)


def test_the_signing_key_is_not_the_payload_key() -> None:
    import hmac

    signed, _, signature = SIGNER.sign(TICKET).rpartition(".")
    with_payload_key = base64.urlsafe_b64encode(hmac.digest(NEW, signed.encode(), "sha256")).rstrip(b"=").decode()
    assert signature != with_payload_key


def test_keys_come_from_the_setting_of_the_payload_keys() -> None:
    setting = f"new:{base64.b64encode(NEW).decode()},old:{base64.b64encode(OLD).decode()}"
    assert TicketSigner.from_setting(setting).verify(SIGNER.sign(TICKET)) == TICKET
    with pytest.raises(ConfigurationError, match="PAYLOAD_KEYS"):
        TicketSigner.from_setting("nonsense")
