"""What a human can say about a ticket of unknown fate, on its page: what `gunbot-mcp resolve` lets one say."""

from dataclasses import dataclass, field

from gunbot_mcp.approval.pin import LONGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One thing to say. `word` is what the form sends; `touch` what a browser needs to ask for a passkey (JSON)."""

    word: str
    label: str
    detail: str
    touch: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """`plain`: the form counts without a touch; `pin`: with the PIN. Neither, and no touch: a terminal is left."""

    token: str = field(repr=False)
    plain: bool
    pin: bool
    choices: tuple[Choice, ...]
    command: str
    longest: int = LONGEST
