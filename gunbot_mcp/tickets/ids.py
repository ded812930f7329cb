"""Where new names come from: ticket ids that a person can type, and tokens that nobody can guess."""

import secrets

_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_ID_LENGTH = 8


class Ids:
    """The source of names; tests hand in one whose names they know."""

    def ticket(self) -> str:
        """Return a short id that a person can type; it names a ticket and proves nothing."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))

    def nonce(self) -> str:
        """Return a token: an answer that carries it proves which proposal it belongs to."""
        return secrets.token_urlsafe(24)

    def claim(self) -> str:
        """Return the name of one attempt to send: only its maker may take it back."""
        return secrets.token_hex(8)
