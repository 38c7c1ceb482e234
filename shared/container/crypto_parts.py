"""Ports behind which keys and hashes stand."""

from __future__ import annotations

from collections.abc import Container as Words
from functools import cached_property

from shared.accounts.ports import AccessTokens, PasswordHasher
from shared.audit.ports import SealSigner
from shared.boards.action_tickets import TicketSigner
from shared.container.parts import Parts
from shared.stores.key_print import KeyPrint
from shared.stores.ports import Sealer


class CryptoParts(Parts):
    """No store is asked for any of these."""

    @cached_property
    def sealer(self) -> Sealer:
        from shared.stores.sealing import AesGcmSealer

        return AesGcmSealer.from_setting(self.settings.payload_keys)

    def sealer_under(self, secret: str) -> Sealer:
        """For what only the client with this secret is to get again."""
        from shared.stores.sealing import AesGcmSealer

        return AesGcmSealer.under(self.settings.payload_keys, secret)

    @cached_property
    def ticket_signer(self) -> TicketSigner:
        from shared.boards.hmac_tickets import HmacTicketSigner

        return HmacTicketSigner.from_setting(self.settings.payload_keys)

    @cached_property
    def seal_signer(self) -> SealSigner:
        from shared.audit.hmac_seals import HmacSealSigner

        return HmacSealSigner.from_setting(self.settings.payload_keys)

    @cached_property
    def key_prints(self) -> list[KeyPrint]:
        """All keys in their order; the first of a purpose seals or signs."""
        from shared.accounts.tokens import signing_key_prints
        from shared.stores.sealing import payload_key_prints

        return [*payload_key_prints(self.settings.payload_keys), *signing_key_prints(self.settings.jwt_signing_key)]

    @cached_property
    def access_tokens(self) -> AccessTokens:
        from shared.accounts.tokens import JwtAccessTokens

        return JwtAccessTokens(
            self.settings.jwt_signing_key,
            outside_issuer=self.settings.jwt_issuer,
            outside_audience=self.settings.jwt_audience,
            outside_jwks_url=self.settings.jwt_jwks_url,
            outside_user_id_claim=self.settings.jwt_user_id_claim,
        )

    @cached_property
    def password_hasher(self) -> PasswordHasher:
        from shared.accounts.argon2 import Argon2PasswordHasher
        from shared.core.loop import find_offload

        return Argon2PasswordHasher(find_offload(self.settings.offload_hook))

    @property
    def common_passwords(self) -> Words[str]:
        """What nobody may choose."""
        from shared.accounts.password import common_passwords

        return common_passwords()
