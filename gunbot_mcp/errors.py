"""Every error that a user, a model or a client can see.

    GunbotMcpError
    ├── InvalidArguments      invalid_arguments        the caller's arguments; nothing was sent
    ├── UnknownTool           unknown_tool
    ├── Refused               the guard said no; nothing was sent
    │   ├── ReadOnly          read_only
    │   ├── NotSupported      not_supported            the exchange cannot do this
    │   ├── ExchangeNotAllowed  exchange_not_allowed
    │   ├── PairNotAllowed    pair_not_allowed
    │   ├── LimitExceeded     limit_exceeded
    │   ├── PriceOutOfBand    price_out_of_band
    │   ├── Halted            halted
    │   ├── DuplicateOrder    duplicate_order
    │   └── PairLocked        pair_locked
    ├── TicketNotFound        ticket_not_found
    ├── TicketClosed          ticket_closed
    ├── GatewayError          Gunbot, or the way to it
    │   ├── GatewayUnreachable      gateway_unreachable
    │   ├── GatewayTimeout          gateway_timeout
    │   ├── GatewayRejected         gateway_rejected          Gunbot said no
    │   ├── GatewayInvalidResponse  gateway_invalid_response  an answer that is not Gunbot's
    │   └── Unauthorized            unauthorized
    ├── LedgerUnavailable     ledger_unavailable       nothing can be recorded, so nothing is sent
    ├── HistoryUnavailable    history_unavailable      the mirror on this machine cannot be read or written
    ├── ConfigInvalid         config_invalid
    └── Internal              internal

`code` is stable and public. `message` says what happened, `hint` says what to do next.
`retryable` says whether repeating the same call could help and is harmless; it is never true of an order that may
have been sent.
"""

import re
from typing import Any, ClassVar

UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""A control, bidi or invisible character: what can steer a terminal, reorder what is read, or hide in it."""
_SECRET = re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]+|ENC:[A-Za-z0-9+/=]{8,}|(?i:bearer)\s+\S+")

_SECRET_LENGTH = 4


def clean(text: object, limit: int = 200, secrets: tuple[str, ...] = ()) -> str:
    """Make foreign text safe to show: no control, bidi or invisible characters, no secrets, at most `limit` characters.

    Secrets are the given strings of four or more characters (shorter ones are not secrets, and occur in every text) and
    whatever looks like a JSON Web Token, a bearer header or an encrypted password.
    """
    # Cut first, generously: the patterns below must not run over megabytes that nobody will read.
    shown = str(text)[: 4 * limit + 4096]
    for secret in secrets:
        if len(secret) >= _SECRET_LENGTH:
            shown = shown.replace(secret, "[secret]")
    shown = _SECRET.sub("[secret]", UNPRINTABLE.sub(" ", shown))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


class GunbotMcpError(Exception):
    """Base of all errors: a stable `code`, a `message` for people, a `hint` with the next step."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({self.hint})" if self.hint else "")

    def as_dict(self) -> dict[str, Any]:
        """Return the wire form: `{"code", "message", "hint", "retryable"}`."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "retryable": self.retryable}


class InvalidArguments(GunbotMcpError):
    code = "invalid_arguments"


class UnknownTool(GunbotMcpError):
    code = "unknown_tool"


class Refused(GunbotMcpError):
    """The guard refused: decided here, before anything was sent."""


class ReadOnly(Refused):
    code = "read_only"


class NotSupported(Refused):
    code = "not_supported"


class ExchangeNotAllowed(Refused):
    code = "exchange_not_allowed"


class PairNotAllowed(Refused):
    code = "pair_not_allowed"


class LimitExceeded(Refused):
    code = "limit_exceeded"


class PriceOutOfBand(Refused):
    code = "price_out_of_band"


class Halted(Refused):
    code = "halted"


class DuplicateOrder(Refused):
    """`twin` is the ticket of the same order."""

    code = "duplicate_order"

    def __init__(self, message: str, hint: str = "", *, twin: str | None = None) -> None:
        super().__init__(message, hint)
        self.twin = twin


class PairLocked(Refused):
    code = "pair_locked"


class TicketNotFound(GunbotMcpError):
    code = "ticket_not_found"


class TicketClosed(GunbotMcpError):
    code = "ticket_closed"


class GatewayError(GunbotMcpError):
    """Gunbot did not answer as hoped. `delivered` is False only where it is certain that it saw nothing."""

    def __init__(self, message: str, hint: str = "", *, delivered: bool = True) -> None:
        super().__init__(message, hint)
        self.delivered = delivered


class GatewayUnreachable(GatewayError):
    code = "gateway_unreachable"
    retryable = True


class GatewayTimeout(GatewayError):
    code = "gateway_timeout"
    retryable = True


class GatewayRejected(GatewayError):
    code = "gateway_rejected"


class GatewayInvalidResponse(GatewayError):
    code = "gateway_invalid_response"


class Unauthorized(GatewayError):
    code = "unauthorized"


class LedgerUnavailable(GunbotMcpError):
    code = "ledger_unavailable"


class HistoryUnavailable(GunbotMcpError):
    """The mirror of the order history cannot be read or written: nothing of it was changed."""

    code = "history_unavailable"


class ConfigInvalid(GunbotMcpError):
    code = "config_invalid"


class Internal(GunbotMcpError):
    code = "internal"


def error_codes() -> dict[str, type[GunbotMcpError]]:
    """Return every public code with its class, in the order of the tree above."""
    found: dict[str, type[GunbotMcpError]] = {}

    def walk(cls: type[GunbotMcpError]) -> None:
        if "code" in vars(cls) and cls is not GunbotMcpError:
            found.setdefault(cls.code, cls)
        for child in cls.__subclasses__():
            walk(child)

    walk(GunbotMcpError)
    return found
