"""What is told of keys: stores and tokens of other versions know them by it."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.core.secret_keys import PAYLOAD, SIGNING, KeyPrint, key_prints
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
