"""An authenticator in software: makes passkeys and touches them as a browser would, or as an attacker would like to."""

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import encode_cbor

from gunbot_mcp.tickets.channels import TERMINAL, Actor
from gunbot_mcp.tickets.passkey import Passkey, b64

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """Holds one passkey of one host. `origin` is what its browser says; `flags` what it claims about its user."""

    origin: str = "http://localhost:8717"
    rp: str = "localhost"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public_key(self) -> bytes:
        """The key in COSE's form."""
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return encode_cbor({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def passkey(self, at: datetime, by: Actor = TERMINAL, **changed: Any) -> Passkey:  # noqa: ANN401 - any field
        """Return this device as it is registered with the PIN; `changed` replaces fields."""
        given: dict[str, Any] = {"name": "laptop", "live": True, "proof": "pin", "sign_count": 0, **changed}
        return Passkey(
            id=b64(self.id),
            public_key=self.public_key,
            origin=self.origin,
            rp=self.rp,
            registered_at=at,
            registered_by=by,
            **given,
        )

    def make(self, options: dict[str, Any]) -> str:
        """Return the JSON of a registration for these creation options."""
        attested = b"\0" * 16 + struct.pack(">H", len(self.id)) + self.id + self.public_key
        data = self._data(self.flags | ATTESTED) + attested
        client = self._client("webauthn.create", options["challenge"])
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        response = {"attestationObject": b64(attestation), "clientDataJSON": b64(client), "transports": ["internal"]}
        return self._answer(response)

    def touch(self, challenge: bytes | str, **changed: object) -> str:
        """Return the JSON of an assertion over this challenge; `changed` replaces members of the client's data."""
        text = challenge if isinstance(challenge, str) else b64(challenge)
        client = self._client("webauthn.get", text, **changed)
        data = self._data(self.flags)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"authenticatorData": b64(data), "clientDataJSON": b64(client), "signature": b64(signature)}
        return self._answer(response)

    def _answer(self, response: dict[str, Any]) -> str:
        name = b64(self.id)
        return json.dumps(
            {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}
        )

    def _client(self, kind: str, challenge: str, **changed: object) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **changed}
        return json.dumps(said).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp.encode()).digest() + bytes([flags]) + struct.pack(">I", self.count)
