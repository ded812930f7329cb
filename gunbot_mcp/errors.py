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

`code` is stable and public. `title` says for people what kind of trouble it is, `message` what happened, `hint` what
to do next. A hint speaks to an assistant where it names a tool; then `human` says the same to people. A hint that
names a command of ours speaks to people, and an assistant is told to ask them.
`retryable` says whether repeating the same call could help and is harmless; it is never true of an order that may
have been sent.
"""

import re
from typing import Any, ClassVar, NamedTuple, Self

UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""A control, bidi or invisible character: what can steer a terminal, reorder what is read, or hide in it."""
_SECRET = re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]+|ENC:[A-Za-z0-9+/=]{8,}|(?i:bearer)\s+\S+")

_SECRET_LENGTH = 4
_COMMAND = re.compile(r"\bgunbot-mcp [a-z]")
_ONLY_A_COMMAND = re.compile(
    r"gunbot-mcp [a-z]+(?: (?:create|list|revoke|status|verify|prune))?(?: --[a-z-]+(?: [\w.-]+)?)*(?: \w{6,40})?"
)


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


class Hint(NamedTuple):
    """A next step in two voices: what a model is told, and what its human is told."""

    model: str
    human: str

    @classmethod
    def by_human(cls, deed: str, before: str = "") -> Self:
        """Return what only a human can do, after what anybody can."""
        return cls(f"{before}a human can {deed}", f"{before}{deed}")

    @classmethod
    def propose_again(cls, how: str = "") -> Self:
        return cls(f"propose it again{how}", f"let your assistant propose it again{how}")

    def then(self, more: Self) -> Self:
        return type(self)(f"{self.model}; {more.model}", f"{self.human}; {more.human}")


class GunbotMcpError(Exception):
    """Base of all errors: a stable `code`, a `message` for people, a `hint` with the next step."""

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "It did not work"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, hint: "str | Hint" = "", *, human: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint, told = hint if isinstance(hint, Hint) else (hint, "")
        self._human = human or told

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({self.for_human})" if self.for_human else "")

    @property
    def for_human(self) -> str:
        """The next step for whoever can run a command, and cannot call a tool."""
        return self._human or self.hint

    @property
    def command(self) -> str | None:
        """The next step for people, where it is nothing but a command of ours."""
        return self.for_human if _ONLY_A_COMMAND.fullmatch(self.for_human) else None

    @property
    def for_model(self) -> str:
        """The next step for whoever can call a tool, and cannot run a command: only ask for it."""
        if not _COMMAND.search(self.hint) or "human" in self.hint:
            return self.hint
        if _ONLY_A_COMMAND.fullmatch(self.hint):
            return f"ask the human to run {self.hint} in a terminal"
        return f"ask the human{' to ' if self.hint.startswith('run ') else ': '}{self.hint}"

    def as_dict(self) -> dict[str, Any]:
        """Return the wire form: `{"code", "message", "hint", "retryable"}`."""
        return {"code": self.code, "message": self.message, "hint": self.for_model, "retryable": self.retryable}


class InvalidArguments(GunbotMcpError):
    code = "invalid_arguments"
    title = "This cannot be asked so"


class UnknownTool(GunbotMcpError):
    code = "unknown_tool"
    title = "There is no such tool"


class Refused(GunbotMcpError):
    """The guard refused: decided here, before anything was sent."""


class ReadOnly(Refused):
    code = "read_only"
    title = "Nothing can be traded here"


class NotSupported(Refused):
    code = "not_supported"
    title = "This exchange cannot do this"


class ExchangeNotAllowed(Refused):
    code = "exchange_not_allowed"
    title = "Your limits do not allow this exchange"


class PairNotAllowed(Refused):
    code = "pair_not_allowed"
    title = "Your limits do not allow this pair"


class LimitExceeded(Refused):
    code = "limit_exceeded"
    title = "Beyond one of your limits"


class PriceOutOfBand(Refused):
    code = "price_out_of_band"
    title = "Too far from the market"


class Halted(Refused):
    code = "halted"
    title = "Trading is halted"


class DuplicateOrder(Refused):
    """`twin` is the ticket of the same order."""

    code = "duplicate_order"
    title = "The same order was proposed already"

    def __init__(self, message: str, hint: str | Hint = "", *, human: str = "", twin: str | None = None) -> None:
        super().__init__(message, hint, human=human)
        self.twin = twin


class PairLocked(Refused):
    code = "pair_locked"
    title = "Locked: an order's fate is unknown"


class TicketNotFound(GunbotMcpError):
    code = "ticket_not_found"
    title = "There is no such ticket"


class TicketClosed(GunbotMcpError):
    code = "ticket_closed"
    title = "This decision changed nothing"


class GatewayError(GunbotMcpError):
    """Gunbot did not answer as hoped. `delivered` is False only where it is certain that it saw nothing."""

    def __init__(self, message: str, hint: str = "", *, delivered: bool = True) -> None:
        super().__init__(message, hint)
        self.delivered = delivered


class GatewayUnreachable(GatewayError):
    code = "gateway_unreachable"
    title = "Gunbot cannot be reached"
    retryable = True


class GatewayTimeout(GatewayError):
    code = "gateway_timeout"
    title = "Gunbot did not answer in time"
    retryable = True


class GatewayRejected(GatewayError):
    code = "gateway_rejected"
    title = "Gunbot said no"


class GatewayInvalidResponse(GatewayError):
    code = "gateway_invalid_response"
    title = "Gunbot's answer is not understood"


class Unauthorized(GatewayError):
    code = "unauthorized"
    title = "Gunbot did not accept the login"


class LedgerUnavailable(GunbotMcpError):
    code = "ledger_unavailable"
    title = "Nothing can be recorded now"


class HistoryUnavailable(GunbotMcpError):
    """The mirror of the order history cannot be read or written: nothing of it was changed."""

    code = "history_unavailable"
    title = "The order history cannot be read here"


class ConfigInvalid(GunbotMcpError):
    code = "config_invalid"
    title = "The settings do not allow this"


class Internal(GunbotMcpError):
    code = "internal"
    title = "gunbot-mcp itself failed"


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
