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
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gunbot_mcp.approval.inbox import Serves
from gunbot_mcp.approval.own_pages import find_page
from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError, TicketNotFound, clean
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.web import gate
from gunbot_mcp.web.front import Lists
from gunbot_mcp.web.headers import HEADERS
from gunbot_mcp.web.page import ApprovalPage
from gunbot_mcp.web.proof import proof

_TICKET = re.compile(r"/tickets/([0-9a-zA-Z_-]{1,40})(?:/(?:live|approve|reject|resolve))?")


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
            return proof(request, self._served, self._folder, self._port())
        if path in {"/", "/live", "/events"} and request.method == "GET":
            return await self._front(request, path)
        if (named := _TICKET.fullmatch(path)) is not None:
            return await self._page_of(named[1])
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

    async def _page_of(self, ticket_id: str) -> ASGIApp:
        ticket = await self._ledger.get(ticket_id)
        page = None if ticket is None else self._pages.get(ticket.instance)
        # At the public url, what exists elsewhere is told apart from nothing by nobody.
        if ticket is None or (page is None and self._public):
            raise TicketNotFound("there is no such ticket", "the front page lists the open ones")
        if (page is None or not page.sends(ticket)) and not self._public:
            there = await find_page(self._folder, instance=ticket.instance, live=ticket.live, url=ticket.url or "")
            if there is not None:
                return RedirectResponse(f"{there}/tickets/{ticket.id}", 303, headers=HEADERS)
        if page is None:
            what = f"this inbox cannot send for instance {ticket.instance}: {ticket.summary}"
            return self._first.error_of(ConfigInvalid(what, _what_to_write(ticket)), ticket)
        return page.app


def _what_to_write(ticket: Ticket) -> str:
    how = f' with url = "{clean(ticket.url)}" and token_file = "the file with its token"' if ticket.live else ""
    return (
        f"the server that proposed it has gone, and its page with it: write [instances.{ticket.instance}]{how} into "
        "the config, and start the inbox again"
    )
