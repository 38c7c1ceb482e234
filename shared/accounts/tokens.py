"""Access tokens as JWTs: ours signed with Ed25519, an outside provider's checked against its key set (RFC 8725, RFC 9068)."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.exceptions import InvalidSignature

from shared.accounts.outside_keys import OutsideKeys
from shared.accounts.player import Caller
from shared.accounts.session import ACCESS_TOKEN_LIFETIME
from shared.accounts.verified_tokens import VerifiedTokens
from shared.core import metrics
from shared.core.errors import ConfigurationError, InvalidToken, TokenExpired
from shared.core.ids import canonical_id
from shared.core.secret_keys import ALGORITHM, SigningKey, read_signing_keys

ISSUER = "scoreboard"
AUDIENCE = "scoreboard-api"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - the media type of RFC 9068, no secret
LIFETIME_SECONDS = int(ACCESS_TOKEN_LIFETIME.total_seconds())
LEEWAY_SECONDS = 5
MAX_TOKEN_LENGTH = 8192
REMEMBERED_TOKENS = 200_000  # a kB each
_SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._|@-]{0,35}")
_SESSION = re.compile(r"[A-Za-z0-9-]{1,36}")
_ROLES = ("player", "admin")
_BAD_TOKEN = (jwt.PyJWTError, InvalidSignature, LookupError, ValueError, TypeError, OverflowError, OSError, RecursionError)
_REQUIRED = ("iat", "jti")  # beside those that are looked at
_hits, _marked, _misses = (metrics.token_cache_lookups.of(result) for result in ("hit", "marked", "miss"))


class AccessTokens:
    """Signed access tokens.

    The first of our keys signs, all of them verify, so that keys can be changed.

    A verified token is remembered until it expires: a signature costs more than all the rest. Of those of ours that are
    `verified`, by another worker say, the signature is not checked again. PyJWT checks the tokens of an outside provider; the
    header of a token of ours is known letter by letter, so that nothing in it is left to be chosen.
    """

    def __init__(
        self,
        signing_key: str,
        *,
        outside_issuer: str = "",
        outside_audience: str = "",
        outside_jwks_url: str = "",
        outside_user_id_claim: str = "sub",
        clock: Callable[[], float] = time.time,
        remember: int = REMEMBERED_TOKENS,
        verified: VerifiedTokens | None = None,
    ) -> None:
        keys = read_signing_keys(signing_key)
        self._key, self._keys = keys[0], {key.key_id: key for key in keys}
        self._headers = {_header_of(key): key for key in keys}
        self._clock = clock
        self._remember = remember
        self._known: OrderedDict[str, tuple[Caller, float]] = OrderedDict()
        self._verified = verified if verified is not None else VerifiedTokens()
        self._outside_issuer = outside_issuer
        self._outside_audience = outside_audience
        self._outside_user_id_claim = outside_user_id_claim
        self._outside_keys = OutsideKeys(outside_jwks_url) if outside_jwks_url else None
        if self._outside_keys and not (outside_issuer and outside_audience):
            raise ConfigurationError("JWT_JWKS_URL needs JWT_ISSUER and JWT_AUDIENCE beside it")
        if outside_issuer == ISSUER:
            raise ConfigurationError(f"JWT_ISSUER must not be {ISSUER!r}: that is our own name")

    def issue(self, user_id: str, role: str, now: datetime, session_id: str = "") -> tuple[str, int]:
        """A signed token and the seconds it lives; without a session nobody can end it before that."""
        issued_at = int(now.timestamp())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "role": role,
            "iat": issued_at,
            "exp": issued_at + LIFETIME_SECONDS,
            "jti": secrets.token_urlsafe(16),
            **({"sid": session_id} if session_id else {}),
        }
        return _signed(claims, self._key), LIFETIME_SECONDS

    def verify(self, token: str) -> Caller:
        """Who it was issued to; raises InvalidToken or TokenExpired."""
        known = self._known.get(token)
        if known is None:
            caller = self._verify(token)
            known = caller, caller.expires_at.timestamp()
            self._keep(token, known)
        else:
            _hits.inc()
        if known[1] <= self._clock():
            self._known.pop(token, None)
            raise TokenExpired
        return known[0]

    def jwks(self) -> dict[str, Any]:
        """The public keys, as a JWK set."""
        return {"keys": [key.as_jwk() for key in self._keys.values()]}

    def _keep(self, token: str, known: tuple[Caller, float]) -> None:
        """The oldest goes first, and at once when it has expired."""
        self._known[token] = known
        while len(self._known) > self._remember or next(iter(self._known.values()))[1] <= self._clock():
            self._known.popitem(last=False)
            if not self._known:
                return

    def _verify(self, token: str) -> Caller:
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidToken
        try:
            claims = self._own_claims(token)
            if claims is None:
                return self._caller(self._outside_claims(token))
            return self._caller(claims, session_id=claims.get("sid", ""))
        except _BAD_TOKEN as error:
            raise InvalidToken from error

    def _own_claims(self, token: str) -> dict[str, Any] | None:
        """Those of a token that one of our keys has signed; None when its header is not one of ours."""
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        key = self._headers.get(header)
        if key is None:
            return None
        if token in self._verified:
            _marked.inc()
        else:
            _misses.inc()
            key.public.verify(jwt.utils.base64url_decode(signature), signed.encode())
            self._verified.add(token)
        claims = _members(payload)
        if claims["iss"] != ISSUER or claims["aud"] != AUDIENCE or any(claims.get(name) is None for name in _REQUIRED):
            raise InvalidToken
        return claims

    def _outside_claims(self, token: str) -> dict[str, Any]:
        _misses.inc()
        for part in token.split(".")[:2]:
            _members(part)
        key_id = jwt.get_unverified_header(token).get("kid")
        key = self._outside_keys.find(key_id) if self._outside_keys and isinstance(key_id, str) else None
        if key is None:
            raise InvalidToken
        claims = _claims(token, key, key.algorithm_name, self._outside_issuer, self._outside_audience)
        return {"role": "player", **claims, "sub": claims.get(self._outside_user_id_claim)}

    def _caller(self, claims: dict[str, Any], session_id: object = "") -> Caller:
        """Check what the claims say, the signature being good already. An outside provider's `sid` names no session of ours."""
        latest = self._clock() + LEEWAY_SECONDS
        instants = [claims[name] for name in ("exp", "iat", "nbf") if name in claims]
        if any(type(instant) not in (int, float) for instant in instants) or any(instant > latest for instant in instants[1:]):
            raise InvalidToken
        if not _SUBJECT.fullmatch(claims["sub"]) or claims["role"] not in _ROLES:
            raise InvalidToken
        if not isinstance(session_id, str) or (session_id and not _SESSION.fullmatch(session_id)):
            raise InvalidToken
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        return Caller(canonical_id(claims["sub"]), claims["role"], expires_at, canonical_id(session_id))


def _signed(claims: dict[str, Any], key: SigningKey) -> str:
    return jwt.encode(claims, key.private, ALGORITHM, {"kid": key.key_id, "typ": TOKEN_TYPE})


def _header_of(key: SigningKey) -> str:
    """What every token that this key signs begins with."""
    return _signed({}, key).partition(".")[0]


def _members(part: str) -> dict[str, Any]:
    """Those of the object that a part of a token is; raises ValueError where a name stands twice.

    Such a name means one thing to one reader and another to the next.
    """
    members: dict[str, Any] = json.loads(jwt.utils.base64url_decode(part), object_pairs_hook=_distinct)
    return members


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def _claims(token: str, key: Any, algorithm: str, issuer: str, audience: str) -> dict[str, Any]:
    """The claims of a token whose signature, issuer and audience are right; time is checked by our own clock."""
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[algorithm],
        issuer=issuer,
        audience=audience,
        options={
            "require": ["iss", "aud", "sub", "iat", "exp"],
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
        },
    )
    return claims
