"""The inbox: the approval pages of all instances of a state folder at one address, whoever proposed.

    GET  /              open tickets of all of them
    GET  /live          a word that changes when that list does
    GET  /events        a stream that tells how much waits
    GET  /inbox?nonce=  the proof that this is the inbox of this state folder, see `approval.inbox`
    …    /tickets/ID…   the page of the ticket's instance
    GET  /history       the chart of `?instance=`, or of the first one
    …    /passkeys…     registering passkeys, see `passkeys`; not at the public url

A ticket whose instance this process has no url or login for is shown in the list's words only: it cannot be sent here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gunbot_mcp.approval.inbox import Serves, statement
from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError, TicketNotFound
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.ticket import State
from gunbot_mcp.web import gate
from gunbot_mcp.web.front import Lists
from gunbot_mcp.web.page import ApprovalPage

_TICKET = re.compile(r"/tickets/([0-9a-zA-Z_-]{1,40})(?:/(?:live|approve|reject|resolve))?")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


class Inbox:
    """An ASGI application. `pages` are those of the instances that can be decided here, by name; never empty."""

    def __init__(
        self,
        *,
        pages: Mapping[str, ApprovalPage],
        served: Sequence[Serves],
        ledger: Ledger,
        folder: Path,
        port: Callable[[], int | None],
        public: str = "",
    ) -> None:
        """`public` is the public url, where this is what stands behind `public.PublicSide`."""
        self._public = public
        self._pages = pages
        self._served = served
        self._ledger = ledger
        self._folder = folder
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            if self._public:
                gate.check_public_host(request, self._public)
            else:
                gate.check_host(request, self._port())
            answer = await self._answer(request)
        except GunbotMcpError as exc:
            answer = self._first.error_of(exc)
        await answer(scope, receive, send)

    @property
    def _first(self) -> ApprovalPage:
        return next(iter(self._pages.values()))

    async def _front(self, request: Request, path: str) -> ASGIApp:
        gate.check_visit(request)
        await self._first.refresh()
        if path == "/events":
            return self._first.stream(request, self._lists)
        lists = await self._lists()
        if path == "/live":
            return self._first.live(lists)
        return await self._first.front(request, lists, [page.served() for page in self._pages.values()])

    async def _answer(self, request: Request) -> ASGIApp:
        path = request.url.path
        if path == "/inbox" and request.method == "GET" and not self._public:
            gate.check_visit(request)
            return self._prove(request)
        if path in {"/", "/live", "/events"} and request.method == "GET":
            return await self._front(request, path)
        if (named := _TICKET.fullmatch(path)) is not None:
            return (await self._page_of(named[1])).app
        if path == "/history" and (page := self._pages.get(request.query_params.get("instance", ""))) is not None:
            return page.app
        return self._first.app

    async def _lists(self) -> Lists:
        """Return the tickets of every instance; of those that cannot be sent from here, what waits."""
        found = [await page.lists() for page in self._pages.values()]
        if not self._public:
            now = self._first.now()
            others = await self._ledger.list(None, states={State.PENDING}, limit=10_000)
            shown = [one for one in others if one.instance not in self._pages and one.expires_at > now]
            found.append(Lists(shown, []))
        return Lists.of_all(found)

    def end_streams(self) -> None:
        """See `ApprovalPage.end_streams`."""
        for page in self._pages.values():
            page.end_streams()

    async def _page_of(self, ticket_id: str) -> ApprovalPage:
        ticket = await self._ledger.get(ticket_id)
        if ticket is None:
            raise TicketNotFound("there is no such ticket", "the front page lists the open ones")
        page = self._pages.get(ticket.instance)
        if page is None and self._public:
            # There, what exists elsewhere is told apart from nothing by nobody.
            raise TicketNotFound("there is no such ticket", "the front page lists the open ones")
        if page is None:
            raise ConfigInvalid(
                f"this inbox cannot send for instance {ticket.instance}: {ticket.summary}",
                f"put the url and the login of {ticket.instance} into the config, and start the inbox again; "
                "until then decide on the page that the assistant's answer names",
            )
        return page

    def _prove(self, request: Request) -> Response:
        nonce = request.query_params.get("nonce", "")
        port = self._port()
        if _NONCE.fullmatch(nonce) is None or port is None:
            raise gate.BadForm("the inbox proves itself to a nonce")
        return self._first.data(statement(self._folder, nonce=nonce, port=port, served=self._served))
