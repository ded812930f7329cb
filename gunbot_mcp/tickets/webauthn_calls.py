"""What is asked of the library `webauthn`. It takes long to load: `passkey.webauthn` does, for the first call."""

import contextlib
import json
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from webauthn import (
    base64url_to_bytes,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The credential that a registration proves."""

    id: bytes
    public_key: bytes
    sign_count: int


class Webauthn:
    """Its three calls."""

    def creation_options(self, *, rp: str, user: str, challenge: bytes, known: Iterable[bytes]) -> dict[str, Any]:
        """Return what a browser needs to make a passkey, on a device that has none of the `known` ones."""
        options = generate_registration_options(
            rp_id=rp,
            rp_name="gunbot-mcp",
            user_name=user,
            challenge=challenge,
            # Found without being named: a page for strangers need not list what is registered.
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
        )
        return json.loads(options_to_json(options))

    def check_registration(self, said: Mapping[str, Any], *, challenge: bytes, rp: str, origin: str) -> Made:
        """Return the credential that was made for this challenge, at a page of this origin, with its user verified.

        Raises:
            ValueError: it was not.
        """
        with _as_value_error():
            found = verify_registration_response(
                credential=dict(said),
                expected_challenge=challenge,
                expected_rp_id=rp,
                expected_origin=origin,
                require_user_verification=True,
            )
            if _framed(said):
                raise ValueError("it was made inside a page of somebody else")
            return Made(id=found.credential_id, public_key=found.credential_public_key, sign_count=found.sign_count)

    def check_answer(
        self, said: Mapping[str, Any], public_key: bytes, *, challenge: bytes, rp: str, origin: str
    ) -> None:
        """Check that this key signed this challenge, at a page of this origin, with its user verified.

        Raises:
            ValueError: it did not.
        """
        with _as_value_error():
            verify_authentication_response(
                credential=dict(said),
                expected_challenge=challenge,
                expected_rp_id=rp,
                expected_origin=origin,
                credential_public_key=public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
            if _framed(said):
                raise ValueError("it was given inside a page of somebody else")


def _framed(said: Mapping[str, Any]) -> bool:
    return bool(json.loads(base64url_to_bytes(said["response"]["clientDataJSON"])).get("crossOrigin"))


@contextlib.contextmanager
def _as_value_error() -> Generator[None]:
    try:
        yield
    # Of bytes that are no authenticator's, the library's decoders raise what they like.
    except (WebAuthnException, KeyError, TypeError, IndexError, AttributeError) as exc:
        raise ValueError(str(exc)) from exc
