"""AES-256-GCM: what is sealed opens only with its key and what it was bound to."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audit.hmac_seals import SealSigner
from shared.core.errors import BadMessage, ConfigurationError
from shared.stores.sealing import Sealer

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
SEALER = Sealer({"new": NEW, "old": OLD})


@given(st.binary(), st.binary())
def test_what_is_sealed_opens_again(secret: bytes, associated: bytes) -> None:
    assert SEALER.open(SEALER.seal(secret, associated), associated) == secret


def test_the_first_key_seals_and_the_older_ones_still_open() -> None:
    before = Sealer({"old": OLD}).seal(b"secret", b"bound")
    assert SEALER.open(before, b"bound") == b"secret"
    assert SEALER.seal(b"secret", b"bound").startswith("new.")


def test_sealing_twice_never_looks_the_same() -> None:
    assert len({SEALER.seal(b"secret", b"") for _ in range(1000)}) == 1000


@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_a_changed_bit_is_noticed(place: int, bit: int) -> None:
    key_id, _, encoded = SEALER.seal(b"the secret text", b"bound").partition(".")
    raw = bytearray(base64.urlsafe_b64decode(encoded))
    raw[place % len(raw)] ^= 1 << bit
    with pytest.raises(BadMessage):
        SEALER.open(f"{key_id}.{base64.urlsafe_b64encode(raw).decode()}", b"bound")


@pytest.mark.parametrize("left", range(12 + 16))
def test_a_tag_that_was_cut_off_or_short_is_refused(left: int) -> None:
    key_id, _, encoded = SEALER.seal(b"", b"bound").partition(".")
    cut = base64.urlsafe_b64encode(base64.urlsafe_b64decode(encoded)[:left]).decode()
    with pytest.raises(BadMessage):
        SEALER.open(f"{key_id}.{cut}", b"bound")


def test_a_tag_of_a_longer_text_that_was_cut_is_refused() -> None:
    """GCM itself would take tags of 12 bytes from whoever asks for them; four bytes are guessed in an hour."""
    key_id, _, encoded = SEALER.seal(b"the secret text", b"bound").partition(".")
    raw = base64.urlsafe_b64decode(encoded)
    for cut in (raw[:-1], raw[:-4], raw[:-12], raw[:-16], raw[:-16] + raw[-4:], raw + raw[-16:]):
        with pytest.raises(BadMessage):
            SEALER.open(f"{key_id}.{base64.urlsafe_b64encode(cut).decode()}", b"bound")


@pytest.mark.parametrize("claimed", ["old", "", "NEW", "new ", "other", "new.new"])
def test_the_id_of_another_key_is_noticed(claimed: str) -> None:
    _, _, encoded = SEALER.seal(b"secret", b"bound").partition(".")
    with pytest.raises(BadMessage):
        SEALER.open(f"{claimed}.{encoded}", b"bound")


def test_nonce_and_text_of_two_messages_cannot_be_joined() -> None:
    one, other = (base64.urlsafe_b64decode(SEALER.seal(secret, b"").partition(".")[2]) for secret in (b"aaaa", b"bbbb"))
    for mixed in (one[:12] + other[12:], one[:16] + other[16:], one[:-16] + other[-16:]):
        with pytest.raises(BadMessage):
            SEALER.open(f"new.{base64.urlsafe_b64encode(mixed).decode()}", b"")


def test_nonces_come_from_the_system_and_use_all_their_bits() -> None:
    """What the bound of 2^32 messages a key rests on: 96 bits, each as often set as not, none repeated."""
    raws = [base64.urlsafe_b64decode(SEALER.seal(b"", b"").partition(".")[2]) for _ in range(4096)]
    nonces = {raw[:12] for raw in raws}
    assert len(nonces) == len(raws)
    for bit in range(96):
        ones = sum(int.from_bytes(nonce, "big") >> bit & 1 for nonce in nonces)
        assert 1700 < ones < 2400, "eleven standard deviations"


def test_another_binding_is_noticed() -> None:
    with pytest.raises(BadMessage, match="bound to something else"):
        SEALER.open(SEALER.seal(b"secret", b"bound"), b"elsewhere")


@given(st.text())
def test_nonsense_is_a_bad_message(sealed: str) -> None:
    with pytest.raises(BadMessage):
        SEALER.open(sealed, b"")
    with pytest.raises(BadMessage):
        SEALER.open("new." + sealed, b"")


def test_keys_are_read_from_the_setting() -> None:
    setting = f"new:{base64.b64encode(NEW).decode()}, old:{base64.b64encode(OLD).decode()}"
    assert SEALER.open(Sealer.from_setting(setting).seal(b"secret", b""), b"") == b"secret"


@pytest.mark.parametrize(
    "setting",
    ["", "new", "new:", "new:AAAA", "new:!!", f":{base64.b64encode(NEW).decode()}", f"a b:{base64.b64encode(NEW).decode()}"],
)
def test_a_bad_setting_is_refused_without_being_shown(setting: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Sealer.from_setting(setting)
    assert "item 1" in str(refused.value)
    assert base64.b64encode(NEW).decode() not in str(refused.value)


def test_one_key_id_names_one_key() -> None:
    key = base64.b64encode(NEW).decode()
    with pytest.raises(ConfigurationError, match="item 2"):
        Sealer.from_setting(f"a:{key},a:{key}")


def test_seals_of_an_older_key_are_still_verified_until_that_key_is_gone() -> None:
    before = SealSigner({"old": OLD}).sign("hash")
    both = SealSigner({"new": NEW, "old": OLD})
    assert both.verify("hash", before) is True
    assert both.verify("another hash", before) is False
    assert both.sign("hash").key_id == "new"
    assert SealSigner({"new": NEW}).verify("hash", before) is None
