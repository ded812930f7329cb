"""What is around every page, and the parts that any page may have: moments and problems. See `view_model`."""

from dataclasses import dataclass, field
from datetime import datetime

from gunbot_mcp.errors import GunbotMcpError, clean
from gunbot_mcp.render import as_sentence, instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The instance that is served, and why nothing is sent now (`halted`). `secrets` are removed from every text.

    `histories` are the instances whose `/history` can be read here.
    """

    instance: str
    live: bool
    halted: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    news: tuple[str, ...] = ()
    public: bool = False
    histories: tuple[str, ...] = ()

    def shown(self, text: object, limit: int = 400) -> str:
        return clean(text, limit, self.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is around every page. `otherwise` is what to run in a terminal when the server of an open page is gone."""

    kind: str
    live: bool
    instance: str
    title: str
    halted: str | None
    otherwise: str
    news: tuple[str, ...]
    place: str
    public: bool
    histories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time in UTC: as text for people and as an instant for the page's script."""

    text: str
    instant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error for people. The next step is a `command` for a terminal, or `advice`, or nothing. No full stops."""

    message: str
    code: str
    command: str | None
    advice: str | None


def error_page(at: Served, exc: GunbotMcpError) -> tuple[Frame, Problem]:
    return frame_of(at, at.shown(exc.message, 120), live=at.live), problem_of(at, exc)


def frame_of(at: Served, title: str, *, live: bool, otherwise: str = "gunbot-mcp tickets") -> Frame:
    return Frame(
        kind=kind_word(live=live),
        live=live,
        instance=at.shown(at.instance, 60),
        title=title,
        halted=None if at.halted is None else at.shown(at.halted, 500).removesuffix("."),
        otherwise=otherwise,
        news=tuple(at.shown(text) for text in at.news),
        public=at.public,
        histories=at.histories,
        place="gunbot-mcp, through your own proxy" if at.public else "gunbot-mcp, on this machine only",
    )


def kind_word(*, live: bool) -> str:
    return "LIVE" if live else "PAPER"


def problem_of(at: Served, exc: GunbotMcpError) -> Problem:
    command = exc.command
    return Problem(
        message=_capital(at.shown(exc.message, 600)),
        code=exc.code,
        command=None if command is None else at.shown(command),
        advice=_capital(at.shown(exc.for_human, 600)) if exc.for_human and command is None else None,
    )


def sentences_of(exc: GunbotMcpError) -> str:
    """Return an error and its next step as sentences for people, for places that have no room for more."""
    step = f"run {exc.command} in a terminal" if exc.command else exc.for_human
    return " ".join(as_sentence(text) for text in (exc.message, step) if text)


def moment_of(moment: datetime, *, date: bool = False) -> Moment:
    return Moment(text=f"{moment:{'%Y-%m-%d ' if date else ''}%H:%M:%S} UTC", instant=instant(moment))


def _capital(text: str) -> str:
    return as_sentence(text).removesuffix(".")
