"""Ports behind which keys and hashes stand."""

from __future__ import annotations

from collections.abc import Container as Words
from functools import cached_property

from shared import ports
from shared.domain.installation import KeyPrint
from shared.wiring.parts import Parts


class CryptoParts(Parts):
    """No store is asked for any of these."""

    @cached_property
    def sealer(self) -> ports.Sealer:
        from shared.adapters.crypto.aes_gcm import AesGcmSealer

        return AesGcmSealer.from_setting(self.settings.payload_keys)

    def sealer_under(self, secret: str) -> ports.Sealer:
        """For what only the client with this secret is to get again."""
        from shared.adapters.crypto.aes_gcm import AesGcmSealer

        return AesGcmSealer.under(self.settings.payload_keys, secret)

    @cached_property
    def ticket_signer(self) -> ports.TicketSigner:
        from shared.adapters.crypto.hmac_tickets import HmacTicketSigner

        return HmacTicketSigner.from_setting(self.settings.payload_keys)

    @cached_property
    def seal_signer(self) -> ports.SealSigner:
        from shared.adapters.crypto.hmac_seals import HmacSealSigner

        return HmacSealSigner.from_setting(self.settings.payload_keys)

    @cached_property
    def key_prints(self) -> list[KeyPrint]:
        """All keys in their order; the first of a purpose seals or signs."""
        from shared.adapters.crypto.aes_gcm import payload_key_prints
        from shared.adapters.crypto.signing_key import signing_key_prints

        return [*payload_key_prints(self.settings.payload_keys), *signing_key_prints(self.settings.jwt_signing_key)]

    @cached_property
    def access_tokens(self) -> ports.AccessTokens:
        from shared.adapters.crypto.jwt import JwtAccessTokens

        return JwtAccessTokens(
            self.settings.jwt_signing_key,
            outside_issuer=self.settings.jwt_issuer,
            outside_audience=self.settings.jwt_audience,
            outside_jwks_url=self.settings.jwt_jwks_url,
            outside_user_id_claim=self.settings.jwt_user_id_claim,
        )

    @cached_property
    def password_hasher(self) -> ports.PasswordHasher:
        from shared.adapters.crypto.argon2 import Argon2PasswordHasher
        from shared.adapters.offload import find_offload

        return Argon2PasswordHasher(find_offload(self.settings.offload_hook))

    @property
    def common_passwords(self) -> Words[str]:
        """What nobody may choose."""
        from shared.adapters.common_passwords import common_passwords

        return common_passwords()
