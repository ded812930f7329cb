"""One running instance: the settings, the way to Gunbot (a network, or the embedded paper gateway), the dispatcher."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import anyio
import httpx2

from gunbot_mcp.clock import Clock
from gunbot_mcp.dispatch import Dispatcher, Surroundings
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.exchanges import CapabilityMatrix
from gunbot_mcp.files import private_folder, write_private
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.recovery import Owner
from gunbot_mcp.gunbot.client import BACKOFF_SECONDS, Gunbot
from gunbot_mcp.gunbot.server_clock import elapsed_seconds
from gunbot_mcp.gunbot.telling import BEAT_SECONDS
from gunbot_mcp.reload import Rules
from gunbot_mcp.tickets.ticket import State, Ticket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from types import TracebackType

    from gunbot_mcp.config import Settings
    from gunbot_mcp.guard.timing import Timing
    from gunbot_mcp.history.day import DayWatch
    from gunbot_mcp.history.mirror import Mirror
    from gunbot_mcp.ledger.database import Database
    from gunbot_mcp.ledger.ledger import Ledger
    from gunbot_mcp.paper.app import PaperGateway
    from gunbot_mcp.telling.announcer import Announcer
    from gunbot_mcp.tickets.ids import Ids


logger = logging.getLogger(__name__)

LOOK_SECONDS = 3.0
"""How long a process that starts looks for orders of unknown fate, or for the day's history."""
READ_SECONDS = 20.0
"""How long a command that lives for one call reads the day's history, where a limit asks for it."""


class PaperTransport(httpx2.AsyncBaseTransport):
    """Reaches the embedded paper gateway in this process, with no port; starts it when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gateway: PaperGateway | None = None
        self._inner: httpx2.ASGITransport | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._start().handle_async_request(request)

    def _start(self) -> httpx2.ASGITransport:
        if self._inner is None:
            from gunbot_mcp.paper.app import PaperGateway  # noqa: PLC0415 - started when first needed

            served = self._settings.served
            self._gateway = PaperGateway(
                data=state_folder(self._settings) / "paper" / self._settings.name,
                seed=served.seed,
                market=served.market,
                capabilities=self._settings.capabilities,
            )
            # A fault of the gateway becomes its answer 500, as over a network, and is not raised in the caller.
            self._inner = httpx2.ASGITransport(app=self._gateway.app, raise_app_exceptions=False)
        return self._inner

    async def aclose(self) -> None:
        if self._gateway is not None:
            await self._gateway.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """The parts of a runtime that tests and rehearsals replace; None is the real one."""

    clock: Clock | None = None
    ids: Ids | None = None
    timing: Timing | None = None
    transport: httpx2.AsyncBaseTransport | None = None
    database: Callable[[str], Database] | None = None
    keep: Callable[[Path, str], None] = write_private
    backoff: float = BACKOFF_SECONDS
    beat: float = BEAT_SECONDS
    day_every: float = 15.0


class Later:
    """Work that may outlive the call that began it; it ends with its owner at the latest."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[None], anyio.CancelScope] = {}

    def start(self, work: Callable[[], Awaitable[None]]) -> None:
        scope = anyio.CancelScope()

        async def run() -> None:
            with scope:
                await work()

        # In a context of its own: the call's request must not be taken for this work's.
        task = asyncio.create_task(run(), context=contextvars.Context())
        self._running[task] = scope
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        # Nobody waits for it, so it is reported here.
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            logger.error("work in the background failed", exc_info=failure)

    async def aclose(self) -> None:
        """Cancel all of it, and wait until what is shielded (an order on its way) has ended."""
        while self._running:
            for scope in self._running.values():
                scope.cancel()
            await asyncio.wait(list(self._running))


class Runtime:
    """Use as an async context manager. The guard, its ledger and the paper gateway open when they are first needed.

    `page` makes the approval page of a server that lives long enough to show one; with `follows`, such a server also
    looks in the background at what becomes of orders. `seams` replace real parts.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        page: Callable[[Runtime, Desk], Page] | None = None,
        follows: bool = False,
        seams: Seams | None = None,
    ) -> None:
        self.settings = settings
        self.rules = Rules(settings)
        self._seams = seams or Seams()
        self._later = Later()
        paper = None if settings.served.live else PaperTransport(settings)
        elapsed = elapsed_seconds if self._seams.clock is None else self._seams.clock.monotonic
        transport = self._seams.transport or paper
        self.gunbot = Gunbot(settings.served, transport=transport, backoff=self._seams.backoff, elapsed=elapsed)
        self.dispatcher = Dispatcher(
            Surroundings(
                settings=settings,
                rules=self.rules,
                gunbot=self.gunbot,
                desk=self.desk,
                inbox_url=self.inbox_url,
                page_url=self.page_url,
                later=self._later.start,
                waits=self._waits if settings.approval.open == "browser" or settings.approval.notify else None,
                beat=self._seams.beat,
                mirror=self.mirror,
                opened=lambda: self._desk,
            )
        )
        self._follows = follows
        self._make_page = page if settings.approval.page else None
        self._page: Page | None = None
        self._open = anyio.Lock()
        self._desk: Desk | None = None
        self._mirror: Mirror | None = None
        self._day: DayWatch | None = None
        self._announcer: Announcer | None = None
        self._owner: Owner | None = None
        self._tasks = AsyncExitStack()

    def in_background(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin work that may outlive the call that asks for it; it ends with this runtime at the latest."""
        self._later.start(work)

    async def desk(self) -> Desk:
        """Return the desk, opening the ledger and settling what an earlier process left behind.

        Raises:
            LedgerUnavailable: the ledger cannot be opened; then nothing is sent.
        """
        async with self._open:
            opened = self._desk is None
            desk = self._desk = self._desk or await self._open_desk()
        if opened and self.rules.last.served.limits.max_day_loss:
            # Before any order's path: what is not read by then goes on in the background. A command that lives for one
            # approval has nobody who read it before.
            await self.day_watch().first(within=LOOK_SECONDS if self._follows else READ_SECONDS)
        return desk

    async def _open_desk(self) -> Desk:
        from gunbot_mcp.ledger.ledger import Ledger  # noqa: PLC0415 - SQLAlchemy is loaded when it is first needed

        settings, folder, clock = self.settings, state_folder(self.settings), self._seams.clock or Clock()
        url = settings.ledger.url.get_secret_value() or f"sqlite:///{folder / 'ledger.sqlite3'}"
        database = None if self._seams.database is None else self._seams.database(url)
        ledger = await Ledger.open(url, clock=clock, database=database)
        self._tasks.push_async_callback(ledger.aclose)
        # Before the ledger, and after the page: an approval there may have begun something.
        self._tasks.push_async_callback(self._later.aclose)
        self._owner = self._owner or Owner.start(folder)
        desk = Desk(
            settings=settings,
            rules=self.rules,
            gunbot=self.gunbot,
            ledger=ledger,
            matrix=CapabilityMatrix(settings.capabilities),
            clock=clock,
            owner=self._owner.id,
            folder=folder,
            timing=self._seams.timing,
            ids=self._seams.ids,
            keep=self._seams.keep,
            later=self._later.start,
            told=self._changed,
            losses=lambda: self.day_watch().last(),
        )
        self._announcer = self._make_announcer(ledger, clock)
        await desk.recover()
        # What is not found now is found when somebody asks for it; a human must not wait for a Gunbot that hangs.
        with anyio.move_on_after(LOOK_SECONDS):
            for ticket in await desk.list(states={State.UNKNOWN}):
                await desk.get(ticket.id, look=True)
        if self._follows:
            self._later.start(desk.watch)
        return desk

    def _make_announcer(self, ledger: Ledger, clock: Clock) -> Announcer | None:
        approval = self.settings.approval
        if approval.open == "no" and not approval.notify:
            return None
        from gunbot_mcp.telling.announcer import Announcer, Told  # noqa: PLC0415 - only where somebody is to be told
        from gunbot_mcp.telling.targets import Targets  # noqa: PLC0415 - only where somebody is to be told

        targets = Targets(approval.notify, full=approval.notify_detail == "full")
        later = self._later.start
        return Announcer(Told(settings=self.settings, ledger=ledger, clock=clock, later=later, targets=targets))

    def _waits(self, ticket: Ticket, page: str | None) -> None:
        if self._announcer is not None:
            self._announcer.waits(ticket, page)

    def _changed(self, ticket: Ticket) -> None:
        if self._announcer is not None:
            self._announcer.changed(ticket)

    def mirror(self) -> Mirror:
        """Return the mirror of the order history, which opens its files, and the ledger, when they are first needed."""
        if self._mirror is None:
            from gunbot_mcp.history.opening import open_mirror  # noqa: PLC0415 - with the ledger's libraries

            self._mirror = open_mirror(
                self.settings,
                state_folder(self.settings),
                self.gunbot,
                self._ledger,
                later=self._later.start,
                clock=self._seams.clock,
            )
        return self._mirror

    def day_watch(self) -> DayWatch:
        """Return what reads the day's history for the guard; it begins once it is asked for."""
        if self._day is None:
            from gunbot_mcp.history.day import DayWatch  # noqa: PLC0415 - only where a limit asks for the day's history

            self._day = DayWatch(
                self.mirror, later=self._later.start, clock=self._seams.clock, every=self._seams.day_every
            )
        return self._day

    async def _ledger(self) -> Ledger:
        return (await self.desk()).ledger

    async def inbox_url(self) -> str | None:
        """Return the address of an inbox that runs now and can send for this instance; None where there is none."""
        if not self.rules.last.approval.page:
            return None
        from gunbot_mcp.approval import inbox  # noqa: PLC0415 - HTTP is loaded when a ticket waits

        served = self.settings.served
        folder = state_folder(self.settings)
        return await inbox.find(folder, instance=self.settings.name, live=served.live, url=served.url)

    async def page_url(self) -> str | None:
        """Return the approval page's address, starting it if needed; None where there is none."""
        if self._make_page is None or not self.rules.last.approval.page:
            return None
        desk = await self.desk()
        async with self._open:
            if self._page is None:
                self._page = self._make_page(self, desk)
                self._tasks.push_async_callback(self._page.aclose)
        return await self._page.ensure_started()

    async def __aenter__(self) -> Self:
        if self._follows and self.rules.last.served.limits.max_day_loss:
            self.day_watch().begin()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._later.aclose()
            if self._mirror is not None:
                self._mirror.close()
            await self._tasks.aclose()
            await self.gunbot.aclose()
            if self._owner is not None:
                self._owner.stop()


class Page(Protocol):
    """The approval page, which is served by a layer above this one."""

    async def ensure_started(self) -> str: ...
    async def aclose(self) -> None: ...


def state_folder(settings: Settings) -> Path:
    """Return the state folder, made for its owner alone.

    Raises:
        ConfigInvalid: it cannot be made.
    """
    folder = settings.folder
    try:
        private_folder(folder)
    except OSError as exc:
        raise ConfigInvalid(f"the state folder {folder} cannot be made: {exc.strerror}", "set GUNBOT_MCP_HOME") from exc
    return folder
