"""What the pages about passkeys show, made from facts; see `view_model`."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.tickets.passkey import Passkey
from gunbot_mcp.web.frame import Frame, Moment, Problem, Served, frame_of, moment_of, problem_of

_SENTENCE = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPasskey:
    name: str
    note: str
    rp: str
    at: Moment
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyPage:
    """`needs` is what lets a further one in: `pin`, `touch` or `none`; or `obstacle` says why nothing does."""

    token: str = field(repr=False)
    known: tuple[KnownPasskey, ...]
    needs: str
    obstacle: Problem | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchPage:
    """What one touch is asked for; `options` is what the browser needs for it (JSON)."""

    token: str = field(repr=False)
    lines: tuple[str, ...]
    options: str
    problem: str
    done: bool


def passkey_page(
    at: Served, passkeys: Sequence[Passkey], *, token: str, needs: str, obstacle: GunbotMcpError | None
) -> tuple[Frame, PasskeyPage]:
    page = PasskeyPage(
        token=token,
        known=tuple(_passkey(at, one) for one in passkeys),
        needs=needs,
        obstacle=None if obstacle is None else problem_of(at, obstacle),
    )
    return frame_of(at, "Passkeys", live=at.live, otherwise="gunbot-mcp passkey --list"), page


def touch_page(
    at: Served, lines: Sequence[str], *, token: str, options: str, problem: str, done: bool
) -> tuple[Frame, TouchPage]:
    """Return the page of one touch; the first line is its title."""
    shown = tuple(at.shown(line, _SENTENCE) for line in lines[1:])
    page = TouchPage(token=token, lines=shown, options=options, problem=at.shown(problem), done=done)
    return frame_of(at, at.shown(lines[0], _SENTENCE), live=at.live), page


def _passkey(at: Served, one: Passkey) -> KnownPasskey:
    note = "" if one.live else "paper only"
    return KnownPasskey(
        name=at.shown(one.name, 60),
        note=note if one.revoked_at is None else "revoked: it counts no more",
        rp=at.shown(one.rp),
        at=moment_of(one.registered_at, date=True),
        fingerprint=one.fingerprint,
    )
