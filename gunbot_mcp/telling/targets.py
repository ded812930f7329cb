"""Where a notice goes: addresses as Apprise reads them (desktop, ntfy, Telegram, mail, …), each tried apart.

An address carries secrets, so nobody ever says one: a target is named by its scheme. Apprise and what it uses write
addresses into their logs, so these are silenced. A service may answer one byte at a time for ever: what is not handed
over in time is left behind in a thread of its own, which nobody waits for.
"""

import asyncio
import contextlib
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import anyio
from pydantic import SecretStr

HAND_OVER_SECONDS = 5.0
DESKTOP = frozenset({"dbus", "kde", "qt", "glib", "gnome", "macosx", "windows"})
"""Schemes that reach the screen of this machine alone."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}")
_TALKATIVE = ("apprise", "urllib3", "requests", "charset_normalizer", "markdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`short` says no more than strangers may read, since topics are public and trades are not; `link` may be empty."""

    title: str
    short: str
    full: str
    link: str = ""

    def body(self, *, full: bool) -> str:
        words = self.full if full else self.short
        return f"{words}\n{self.link}" if self.link else words


def scheme_of(address: str) -> str:
    """Return how a target is named to people: its scheme, which is no secret."""
    scheme, between, _ = address.partition("://")
    return scheme.lower() if between and _SCHEME.fullmatch(scheme.lower()) else "(no scheme)"


class _Target(Protocol):
    """What is used of `apprise.Apprise`, whose own types are only half there."""

    def add(self, services: str) -> bool: ...
    def notify(self, *, title: str, body: str, body_format: str) -> bool: ...


class Targets:
    """The addresses of one config. `seconds` is how long each has to take a notice; `full` forces all details."""

    def __init__(self, addresses: Sequence[SecretStr], *, full: bool, seconds: float = HAND_OVER_SECONDS) -> None:
        self._addresses = [address.get_secret_value() for address in addresses]
        self._full = full
        self._seconds = seconds
        self._busy: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._addresses)

    async def hand_over(self, notice: Notice) -> Mapping[str, str]:
        """Give the notice to every target at once, and return by name what is wrong with those that did not take it.

        Never raises, never takes longer than its seconds, and says nothing that could hold a secret.
        """
        wrong: dict[str, str] = {}

        async def give(number: int, address: str) -> None:
            name = f"{number + 1} ({scheme_of(address)})"
            if number in self._busy:
                wrong[name] = "it still has not taken the one before"
                return
            full = self._full or scheme_of(address) in DESKTOP
            said = await self._one(number, lambda: _send(address, notice.title, notice.body(full=full)))
            if said is not None:
                wrong[name] = said

        async with anyio.create_task_group() as tasks:
            for number, address in enumerate(self._addresses):
                tasks.start_soon(give, number, address)
        return wrong

    async def _one(self, number: int, send: Callable[[], str | None]) -> str | None:
        loop = asyncio.get_running_loop()
        said: asyncio.Future[str | None] = loop.create_future()

        def finish(found: str | None) -> None:
            self._busy.discard(number)
            if not said.done():
                said.set_result(found)

        def run() -> None:
            found = send()
            # Whoever waited may be gone by now, and the loop with him.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, found)

        self._busy.add(number)
        threading.Thread(target=run, name="notice", daemon=True).start()
        with anyio.move_on_after(self._seconds):
            return await said
        return f"it did not take it within {self._seconds:g} s"


def _silence() -> None:
    """Keep what the libraries write out of every log, at any level: `urllib3.connectionpool` writes whole addresses.

    A logger that is switched off does not switch off those below it, and some are made with the first import.
    """
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _TALKATIVE:
            logging.getLogger(name).disabled = True


def _send(address: str, title: str, body: str) -> str | None:
    """Hand a notice to one address; return what is wrong, in words without the address."""
    _silence()
    try:
        import apprise

        _silence()
        target = cast("_Target", apprise.Apprise())
        understood = target.add(address)
        # A service's own module, and what it speaks with, may have come with this import.
        _silence()
        if not understood:
            return "it is no address that Apprise understands, or what it needs is not installed"
        sent = target.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
    except ImportError:
        return "Apprise is not installed: pip install 'gunbot-mcp[notify]'"
    except Exception as exc:  # noqa: BLE001 - any library of any service; its text may hold the address
        return f"it failed ({type(exc).__name__})"
    return None if sent else "it refused the notice, or could not be reached"
