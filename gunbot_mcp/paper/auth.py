"""The paper gateway's token, and the login that gives out another one.

A login's token is a JSON Web Token (HS256) signed with the configured token, so it works in every process that has the
same token, also after a restart. Gunbot's password encryption is AES-128-CBC, PKCS7, key and IV both the first sixteen
bytes of the wallet, in base64 behind `ENC:`.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field

from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.gunbot.login import encrypt_password

_LIFETIME = 900 * 86_400
_BLOCK = 16
_HEADER = '{"typ":"JWT","alg":"HS256"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may pass. With `token` None everyone may; with `password` None every well-formed login succeeds.

    Raises:
        ConfigInvalid: an empty token, a password without a wallet of sixteen bytes or more, or the reverse.
    """

    token: str | None = field(repr=False)
    password: str | None = field(default=None, repr=False)
    wallet: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.token is not None and not self.token.strip():
            raise ConfigInvalid("the paper gateway's token is empty", "leave it out to let everybody in")
        if (self.password is None) != (self.wallet is None):
            raise ConfigInvalid("a password needs a wallet, and a wallet a password", "give both or neither")
        if self.wallet is not None and len(self.wallet.encode()) < _BLOCK:
            raise ConfigInvalid("the wallet is too short", "give at least sixteen bytes of it: they are the key")

    def passes(self, authorization: str | None, now: int) -> bool:
        """Say whether an Authorization header gives access at `now` (epoch seconds)."""
        if self.token is None:
            return True
        scheme, _, shown = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        shown = shown.strip()
        # Both are computed, so that neither the order nor the outcome of the two shows in the time taken.
        return hmac.compare_digest(shown.encode(), self.token.encode()) | self._signed(shown, now)

    def login(self, password: str, now: int) -> str | None:
        """Return a token for an encrypted password, or None where it is the wrong one.

        Raises:
            ValueError: not an `ENC:` string at all.
        """
        sealed = _sealed(password)
        if self.password is not None and self.wallet is not None:
            expected = encrypt_password(self.password, self.wallet).removeprefix("ENC:")
            if not hmac.compare_digest(base64.b64encode(sealed), expected.encode()):
                return None
        payload = _encode(json.dumps({"iat": now, "exp": now + _LIFETIME}, separators=(",", ":")).encode())
        body = f"{_encode(_HEADER.encode())}.{payload}"
        return f"{body}.{self._signature(body)}"

    def _signed(self, token: str, now: int) -> bool:
        body, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(body).encode()):
            return False
        payload = body.partition(".")[2]
        return now < json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]

    def _signature(self, body: str) -> str:
        key = b"paper:" + (self.token or "").encode()
        return _encode(hmac.digest(key, body.encode(), hashlib.sha256))


def _sealed(password: str) -> bytes:
    match = re.fullmatch(r"ENC:([A-Za-z0-9+/]+={0,2})", password)
    try:
        sealed = base64.b64decode(match[1], validate=True) if match else b""
    except binascii.Error:
        sealed = b""
    if not sealed or len(sealed) % _BLOCK:
        raise ValueError("password must be ENC: and the base64 of whole AES blocks")
    return sealed


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
