"""The approval page: a human looks at a ticket on loopback and decides. See `gate` for whose requests are heard.

    GET  /                     open tickets
    GET  /live                 a word that changes when that list does
    GET  /history              a chart of the order history, see `history`; where this process can read it
    GET  /tickets/ID           one ticket: what, how much, where, PAPER or LIVE; what became of it
    GET  /tickets/ID/live      its state, the seconds left and the book, for the open page
    POST /tickets/ID/approve   token, pin   approve and send (a PIN is needed on live instances, or once one is set)
                               token, touch  the same by a passkey
    POST /tickets/ID/reject    token
    POST /tickets/ID/resolve   what a human found, see `settling`
    GET  /events               a stream that tells how much waits, see `events`
    POST /halt, POST /resume   the kill switch, see `switch`

A GET decides nothing. No address carries a secret.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gunbot_mcp.approval.own_pages import announce_page, withdraw_page
from gunbot_mcp.approval.passkeys import Registrar, news
from gunbot_mcp.approval.pin import WrongPin
from gunbot_mcp.config import Settings
from gunbot_mcp.errors import GunbotMcpError, LedgerUnavailable, TicketClosed, TicketNotFound
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.halt import halted
from gunbot_mcp.reload import Rules
from gunbot_mcp.telling.announcer import seen
from gunbot_mcp.tickets.channels import PAGE, PASSKEY
from gunbot_mcp.tickets.passkey import parse_touch
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.web import gate, view_model
from gunbot_mcp.web.answers import Failing, Guarded, data, form_word, html, left_of, status_of, word_of
from gunbot_mcp.web.background import Background
from gunbot_mcp.web.door import Door
from gunbot_mcp.web.events import Pulse, Streams
from gunbot_mcp.web.following import live_facts, looked
from gunbot_mcp.web.frame import Served
from gunbot_mcp.web.front import Lists, front_of, lists_of, others_of
from gunbot_mcp.web.headers import HEADERS
from gunbot_mcp.web.pages import render
from gunbot_mcp.web.passkeys import PATH, PasskeyPages
from gunbot_mcp.web.proof import own_statement
from gunbot_mcp.web.resuming import resume_page
from gunbot_mcp.web.settling import Settler
from gunbot_mcp.web.switch import Halts
from gunbot_mcp.web.ways import Gate, Ways

if TYPE_CHECKING:
    from gunbot_mcp.web.history import Charts

PATIENCE = 10.0
_TICKET_ID = re.compile(r"[0-9a-zA-Z_-]{1,40}")


class ApprovalPage(Failing):
    """The page of one instance. `app` is the application; `ensure_started` serves it on loopback, `aclose` stops it.

    A request, and the form in it, may take `patience` seconds to arrive.
    """

    def __init__(
        self,
        *,
        desk: Desk,
        settings: Settings,
        folder: Path,
        pin_gate: Gate,
        patience: float = PATIENCE,
        port: Callable[[], int | None] | None = None,
        rules: Rules | None = None,
        public: str = "",
        charts: "Charts | None" = None,
    ) -> None:
        """`port` is where somebody else serves `app`; None: this object does, once it is started.

        `rules` are the settings in force (None: `settings`, for ever). `public` is the public url, where this is the
        page behind it: there every approval is a touch, the PIN counts for nothing, and only who signed in gets here.
        `charts` answers `chart_orders` for `/history`.
        """
        self._public = public
        self._news: tuple[str, ...] = ()
        self._charts = charts
        self._rules = rules or Rules(settings)
        self._desk = desk
        self._settings = settings
        self._folder = folder
        self._pin_gate = pin_gate
        self._tokens = gate.Tokens()
        self.app = Starlette(
            routes=[
                Route("/", self._tickets, methods=["GET"]),
                Route("/live", self._tickets_live, methods=["GET"]),
                Route("/history", self._history, methods=["GET"]),
                Route("/events", self._events, methods=["GET"]),
                Route("/inbox", self._prove, methods=["GET"]),
                Route("/tickets/{id}", self._ticket, methods=["GET"]),
                Route("/tickets/{id}/live", self._ticket_live, methods=["GET"]),
                Route("/tickets/{id}/approve", self._approve, methods=["POST"]),
                Route("/tickets/{id}/reject", self._reject, methods=["POST"]),
                Route("/tickets/{id}/resolve", self._resolve, methods=["POST"]),
                *([] if public else [Route("/halt", self._halt, methods=["POST"])]),
                *([] if public else [Route("/resume", self._resume, methods=["POST"])]),
                *([] if public else [Route(PATH + "{rest:path}", self._passkeys, methods=["GET", "POST"])]),
            ],
            middleware=[Middleware(Guarded, check=self._check_host, before=self.refresh)],
            exception_handlers={GunbotMcpError: self.failed, HTTPException: self.strange, 500: self.broken},
        )
        self.app.router.redirect_slashes = False
        self._patience = patience
        door = Door(
            self.app,
            closed=lambda: self._rules.last.approval.page_login,
            pins=pin_gate,
            clock=desk.clock,
            port=lambda: self._background.port,
        )
        self._background = Background(door, request_seconds=patience)
        self._port = port or (lambda: self._background.port)
        self._ways = Ways(
            settings=settings,
            rules=self._rules,
            folder=folder,
            ledger=desk.ledger,
            pin_gate=pin_gate,
            port=self._port,
            public=public,
            ours=lambda: port is not None or self._background.both,
        )
        self._settler = Settler(desk, self._ways, pin_gate)
        self._halts = Halts(
            settings=settings,
            rules=self._rules,
            folder=folder,
            ledger=desk.ledger,
            clock=desk.clock,
            pin_gate=pin_gate,
            origin=self._ways.origin,
        )
        self._streams = Streams()
        self._shared = port is not None
        registrar = Registrar(
            desk.ledger,
            desk.clock,
            folder,
            rp="localhost",
            origin=self._ways.origin,
            any_live=any(instance.live for instance in settings.instances.values()),
        )
        self._passkey_pages = PasskeyPages(registrar, desk.ledger, self.served)

    async def ensure_started(self) -> str:
        """Serve at the configured port, or at any free one where that is taken; return the base address.

        Safe to call at the same time and again: the page starts once.

        Raises:
            ConfigInvalid: no port on loopback can be listened on.
        """
        url = await self._background.start(self._settings.approval.page_port)
        announce_page(self._folder, self._background.port)
        return url

    async def aclose(self) -> None:
        """Stop serving; an order that is on its way is waited for."""
        self.end_streams()
        withdraw_page(self._folder, self._background.port)
        await self._background.aclose()

    def end_streams(self) -> None:
        """Let the streams end that tell browsers how much waits: a server's stop waits for what is open."""
        self._streams.end()

    # Looking

    async def _tickets(self, request: Request) -> Response:
        gate.check_visit(request)
        return await self.front(request, await self.lists())

    async def _tickets_live(self, request: Request) -> Response:
        gate.check_visit(request)
        return self.live(await self.lists())

    async def _history(self, request: Request) -> Response:
        gate.check_visit(request)
        from gunbot_mcp.web import history  # noqa: PLC0415 - charts are loaded when the first one is shown

        asked = request.query_params.get("instance") or self._settings.name
        if asked != self._settings.name:
            raise TicketNotFound("there is no such instance at this address", "the front page links what is here")
        return await history.response_of(self._charts, self.served(), request.query_params.multi_items())

    async def _prove(self, request: Request) -> Response:
        return own_statement(request, self._settings, self._folder, None if self._shared else self._port())

    async def _events(self, request: Request) -> Response:
        return self.stream(request, self.lists)

    async def front(self, request: Request, lists: Lists, instances: Sequence[Served] = ()) -> Response:
        """Return the front page of these tickets; `instances` are those of an inbox that can be decided here."""
        switch = None if self._public else await self._halts.shown(here=self._here(request))
        version = word_of(halted(self._folder), *lists.facts())
        shown = front_of(self.served(), lists, self.now(), version=version, switch=switch, instances=instances)
        return html(render("list.html", *shown))

    def live(self, lists: Lists) -> Response:
        """Return only the word that changes when the front page of these tickets does."""
        return data({"version": word_of(halted(self._folder), *lists.facts())})

    def stream(self, request: Request, lists: Callable[[], Awaitable[Lists]]) -> Response:
        """Return a stream that tells how much of these tickets waits, as it changes."""
        gate.check_visit(request)

        async def pulse() -> Pulse:
            found = await lists()
            return found.pulse(self._desk.clock.now(), word_of(halted(self._folder), *found.facts()))

        return self._streams.answer(pulse)

    def now(self) -> datetime:
        return self._desk.clock.now()

    def sends(self, ticket: Ticket) -> bool:
        """Return whether it was made for the Gunbot of this page."""
        here = self._settings.served
        return ticket.live is here.live and ticket.url in {None, here.url}

    async def lists(self) -> Lists:
        """Return the tickets that are open, those of unknown fate, and those that were closed lately."""
        return await lists_of(self._desk)

    async def _ticket(self, request: Request) -> Response:
        gate.check_visit(request)
        ticket = await self._found(request)
        # What became of an order is shown also where a notice about it cannot be written down.
        with contextlib.suppress(LedgerUnavailable):
            await seen(self._desk.ledger, ticket.id)
        return await self._show(request, await looked(self._desk, ticket))

    async def _ticket_live(self, request: Request) -> Response:
        gate.check_visit(request)
        ticket = await self._found(request)
        return data(await live_facts(self._desk, ticket, self.served(), self._ways, self._folder))

    async def _show(
        self, request: Request, ticket: Ticket, *, status: int = 200, failure: GunbotMcpError | None = None
    ) -> Response:
        """Return the ticket's page; `failure` is shown at its top: the result of the last attempt to decide."""
        if ticket.state is not State.PENDING:
            return await self._show_closed(request, ticket, status, failure)
        book = await self._desk.market(ticket, balances=True)
        cookie, token = self._tokens.issue(request, ticket)
        locked = await self._ways.locked(ticket)
        form = await self._ways.form(
            ticket, token, here=self._here(request), from_outside=gate.is_from_outside(request), book=book
        )
        left, version = left_of(ticket, self._desk.clock), form_word(self._folder, locked, book)
        frame, page = view_model.open_page(
            self.served(),
            ticket,
            book,
            form,
            left=left,
            version=version,
            failure=failure,
            others=await others_of(self._desk, ticket, None if self._shared else self._settings.name),
        )
        response = html(render("open.html", frame, page), status)
        gate.keep_cookie(response, ticket, cookie, secure=bool(self._public))
        return response

    async def _show_closed(
        self, request: Request, ticket: Ticket, status: int, failure: GunbotMcpError | None
    ) -> Response:
        cookie, token = self._tokens.issue(request, ticket)
        settling = await self._settler.shown(ticket, token, here=self._here(request))
        others = await others_of(self._desk, ticket, None if self._shared else self._settings.name)
        frame, page = view_model.closed_page(self.served(), ticket, failure, others=others, settling=settling)
        response = html(render("closed.html", frame, page), status)
        if settling is not None:
            gate.keep_cookie(response, ticket, cookie, secure=bool(self._public))
        return response

    async def _passkeys(self, request: Request) -> Response:
        return await self._passkey_pages.answer(request)

    # Deciding

    async def _approve(self, request: Request) -> Response:
        async def decide(ticket: Ticket, form: Mapping[str, str]) -> Ticket:
            if (obstacle := self._ways.obstacle(ticket, await self._ways.able(ticket))) is not None:
                raise obstacle
            if touched := form.get("touch"):
                touch = parse_touch(touched, self._ways.origin())
                return await self._desk.approve(ticket.id, by=PASSKEY, touch=touch)
            if not self._ways.plain(ticket):
                raise gate.NotOurs("only a touch of your passkey approves this; nothing was approved", "touch it")
            if self._ways.needs_pin(ticket):
                if not (pin := form.get("pin", "")):
                    raise gate.NoPin("approving needs your PIN; nothing was approved", "type it, then press the button")
                await self._pin_gate.verify(pin, actor=PAGE, ticket=ticket.id)
            return await self._desk.approve(ticket.id, by=PAGE)

        return await self._decide(request, {"token", "touch"} if self._public else {"token", "pin", "touch"}, decide)

    async def _reject(self, request: Request) -> Response:
        async def decide(ticket: Ticket, _: Mapping[str, str]) -> Ticket:
            return await self._desk.decline(ticket.id, by=PAGE)

        return await self._decide(request, {"token"}, decide)

    async def _resolve(self, request: Request) -> Response:
        return await self._decide(
            request, {"token", "word", "pin", "touch"}, self._settler.settle, states={State.UNKNOWN}
        )

    async def _halt(self, request: Request) -> Response:
        self._halts.check((await self._form(request, {"token"})).get("token", ""))
        await self._halts.halt()
        return RedirectResponse("/", HTTPStatus.SEE_OTHER, headers=HEADERS)

    async def _resume(self, request: Request) -> Response:
        form = await self._form(request, {"token", "pin", "ceremony", "touch"})
        self._halts.check(form.get("token", ""))
        try:
            await self._halts.resume(form)
        except (WrongPin, gate.NoPin) as exc:
            frame, page = resume_page(self.served(), await self._halts.shown(here=self._here(request)), exc)
            return html(render("resume.html", frame, page), status_of(exc))
        return RedirectResponse("/", HTTPStatus.SEE_OTHER, headers=HEADERS)

    async def _form(self, request: Request, fields: set[str]) -> Mapping[str, str]:
        gate.check_origin(request, self._public)
        return await gate.read_form(request, fields, self._patience)

    async def _decide(
        self,
        request: Request,
        fields: set[str],
        decide: Callable[[Ticket, Mapping[str, str]], Awaitable[Ticket]],
        states: Collection[State] = (State.PENDING,),
    ) -> Response:
        form = await self._form(request, fields)
        ticket = await self._found(request)
        try:
            self._tokens.check(request, ticket, form.get("token", ""))
            if ticket.state not in states:
                raise TicketClosed(
                    f"this ticket is already {ticket.state.value}; your decision changed nothing",
                    "below is what became of it",
                )
            await decide(ticket, form)
        except GunbotMcpError as exc:
            # Show the error together with the ticket's present state.
            return await self._show(request, await self._found(request), status=status_of(exc), failure=exc)
        return RedirectResponse(f"/tickets/{ticket.id}", HTTPStatus.SEE_OTHER, headers=HEADERS)

    def _here(self, request: Request) -> bool:
        """Return whether the browser is at the address that passkeys belong to: 127.0.0.1 is not localhost."""
        return bool(self._public) or request.url.hostname == "localhost"

    async def refresh(self) -> None:
        """Look what every page has to tell; a ledger that cannot be asked is told of elsewhere."""
        with contextlib.suppress(LedgerUnavailable):
            self._news = news(await self._desk.ledger.passkeys(), self._desk.clock.now())

    # Answers

    async def _found(self, request: Request) -> Ticket:
        ticket_id = str(request.path_params["id"])
        if not _TICKET_ID.fullmatch(ticket_id):
            raise TicketNotFound("there is no such ticket", "the front page lists the open ones")
        return await self._desk.get(ticket_id)

    def served(self) -> Served:
        return Served(
            instance=self._settings.name,
            live=self._settings.served.live,
            halted=halted(self._folder),
            secrets=self._settings.secrets(),
            news=self._news,
            public=bool(self._public),
            histories=() if self._charts is None else (self._settings.name,),
        )

    def _check_host(self, request: Request) -> Response | None:
        try:
            if self._public:
                gate.check_public_host(request, self._public)
            else:
                gate.check_host(request, self._port())
        except gate.NotOurs as exc:
            return self.error_of(exc)
        return None
