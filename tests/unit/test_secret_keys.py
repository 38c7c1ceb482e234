"""What is told of keys and derived from them: what other versions stored and signed goes on being good."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.audit.entries import Signature
from shared.audit.hmac_seals import SealSigner
from shared.core.secret_keys import PAYLOAD, SIGNING, KeyPrint, key_prints
from shared.stores.sealing import derived_keys
from tests.unit.tokens import pem_of

KEY = bytes(range(32))
# That of RFC 8037, appendix A.1, and its thumbprint there in A.3.
SIGNING_KEY = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_fingerprints_are_what_they_have_always_been() -> None:
    payload_keys = f"k1:{base64.b64encode(KEY).decode()}"
    signing_keys = pem_of(Ed25519PrivateKey.from_private_bytes(SIGNING_KEY))
    assert key_prints(payload_keys, signing_keys) == [
        KeyPrint(PAYLOAD, "k1", "_Oy2I4FxrOx-swmY"),
        KeyPrint(SIGNING, THUMBPRINT, THUMBPRINT),
    ]


@pytest.mark.parametrize(
    ("purpose", "secret", "derived"),
    [
        (b"scoreboard audit seal 1", b"", "314b90fccc6f20eb4150b605195687737c50c6c15bd1f5dfd06e9fa0d7c15fac"),
        (b"scoreboard action ticket 1", b"", "80ce9070dda3eb89588853942521279861899247188ed626e583a1b884e49725"),
        (b"scoreboard answer for one client 1", b"secret", "4c679e65f4e2d83eaf0e976c034f9cf00b603d9fdf88b7edd7902cb9d83efc30"),
    ],
)
def test_derived_keys_are_too(purpose: bytes, secret: bytes, derived: str) -> None:
    assert derived_keys({"k1": KEY}, purpose, secret) == {"k1": bytes.fromhex(derived)}


def test_the_audit_log_is_sealed_as_it_has_always_been() -> None:
    mac = "1aea366990356e98efa6f100a83b9fdfa12a8505863950a3ffb6415d056ae82b"
    assert SealSigner({"k1": KEY}).sign("00") == Signature("k1", mac)
