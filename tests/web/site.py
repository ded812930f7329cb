"""A whole approval page on a real socket: real desk, real SQLite ledger, the paper gateway, and every POST counted."""

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
import httpx2
from anyio.from_thread import BlockingPortal

from gunbot_mcp.approval.inbox import serves
from gunbot_mcp.approval.pin import PinGate, set_pin
from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.clock import ManualClock
from gunbot_mcp.config import Settings
from gunbot_mcp.dispatch import Caller, Dispatcher, Surroundings
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.exchanges import CapabilityMatrix
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.paper.app import PaperGateway
from gunbot_mcp.render import Answer as ToolAnswer
from gunbot_mcp.runtime import Later
from gunbot_mcp.tickets.channels import SENDER, Actor
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.web.background import Background
from gunbot_mcp.web.history import Charts
from gunbot_mcp.web.inbox import Inbox
from gunbot_mcp.web.page import ApprovalPage

TRADE = "/api/v1/trade/"
BUY: Mapping[str, Any] = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}


class Wire(httpx2.AsyncBaseTransport):
    """The way to the paper gateway; notes what passes (`orders` apart), and fails where a test says so.

    `answers` maps a path to what stands in for the gateway's answer: a response, or an error to raise.
    """

    def __init__(self, app: Any) -> None:  # noqa: ANN401 - any ASGI application
        self._inner = httpx2.ASGITransport(app=app)
        self.orders: list[str] = []
        self.paths: list[str] = []
        self.answers: dict[str, httpx2.Response | Exception] = {}
        self.held = anyio.Event()
        self._holds = ""
        self._gate = anyio.Event()

    def hold(self, path: str) -> None:
        """Keep requests for this path waiting until `release`; `held` is set once one waits."""
        self._holds = path

    async def release(self) -> None:
        self._gate.set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.paths.append(path)
        if path.startswith(TRADE):
            self.orders.append(path)
        if path == self._holds:
            self.held.set()
            await self._gate.wait()
        answer = self.answers.get(path)
        if isinstance(answer, Exception):
            raise answer
        return answer or await self._inner.handle_async_request(request)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One instance with its page, served at `url` from another thread."""

    portal: BlockingPortal
    url: str
    page: ApprovalPage
    desk: Desk
    wire: Wire
    clock: ManualClock
    folder: Path
    gunbot: Gunbot
    ledger: Ledger
    settings: Settings
    dispatcher: Dispatcher
    house: Background | None = None
    seen: list[str] = field(default_factory=list[str])

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def propose(self, tool: str = "buy_limit", *, client: str = "a client", **arguments: Any) -> Ticket:  # noqa: ANN401 - any argument
        endpoint = BY_NAME[tool]
        args = parse_arguments(endpoint.args, arguments or BUY)

        async def run() -> Ticket:
            return (await self.desk.propose(Order.of(endpoint, args), client=client)).ticket

        return self.portal.call(run)

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool as a client that shows ticket cards, and return the whole result as it is sent to it."""
        caller = Caller(name="a card client", shows_card=True)
        answer = self.portal.call(self.dispatcher.call, tool, arguments, caller)
        assert isinstance(answer, ToolAnswer)
        return {
            "content": [{"type": "text", "text": answer.text}],
            **({} if answer.is_error else {"structuredContent": answer.structured}),
            "isError": answer.is_error,
            "_meta": answer.meta,
        }

    def plant(self, ticket_id: str, **fields: Any) -> Ticket:  # noqa: ANN401 - any field
        """Put a ticket of any content into the ledger, past the desk."""
        model = self.propose("buy_limit", exchange="binance", pair="USDT-BTC", amount=0.0001, price=50000)
        made = replace(model, id=ticket_id, **fields)

        async def run() -> None:
            await self.desk.decline(model.id, by=Actor("client", "a test"))
            async with self.ledger.write() as write:
                await write.add(made, Actor("client", "a test"))

        self.portal.call(run)
        return made

    def get(self, ticket: Ticket) -> Ticket:
        return self.portal.call(self.desk.get, ticket.id)

    def state(self, ticket: Ticket) -> str:
        return self.get(ticket).state.value

    def set_pin(self, pin: str) -> None:
        set_pin(self.folder, pin)

    def send(self, path: str, body: Mapping[str, Any]) -> None:
        """Post to the paper gateway behind the desk's back."""

        async def run() -> None:
            async with httpx2.AsyncClient(transport=self.wire, base_url="http://paper.invalid") as client:
                (await client.post(path, json=body)).raise_for_status()

        self.portal.call(run)

    def price(self, price: str) -> None:
        """Move the paper market of binance/USDT-BTC."""
        body = {"exch": "binance", "pair": "USDT-BTC", "price": float(Decimal(price))}
        self.send("/api/v1/paper/price", {"data": body})

    def move(self, ticket: Ticket, *states: str) -> None:
        """Move a ticket along, past the desk."""

        async def run() -> None:
            before = State.PENDING
            async with self.ledger.write() as write:
                for state in map(State, states):
                    sends = state is State.SENDING
                    owner, since = ("a test", self.clock.now()) if sends else (None, None)
                    assert await write.move(ticket.id, before, state, actor=SENDER, owner=owner, sent_at=since)
                    before = state

        self.portal.call(run)

    def request(self, method: str, path: str, *, body: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """Send exactly these headers, and Host if it is not among them."""
        connection = http.client.HTTPConnection(self.host, timeout=20)
        given = dict(headers or {})
        try:
            connection.putrequest(method, path, skip_host=any(name.lower() == "host" for name in given))
            for name, value in given.items():
                connection.putheader(name, value)
            if method == "POST":
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body.encode() if method == "POST" else None)
            response = connection.getresponse()
            answer = Answer(response.status, dict(response.getheaders()), response.read().decode())
        finally:
            connection.close()
        self.seen.append(path + str(answer.headers) + answer.text)
        return answer

    def open(self, ticket: Ticket) -> "OpenForm":
        """Visit a ticket's page as a browser does, and keep what its form needs."""
        answer = self.request("GET", f"/tickets/{ticket.id}")
        assert answer.status == 200, answer.text
        cookie = SimpleCookie(answer.headers.get("set-cookie", ""))
        token = re.search(r'name="token" value="([0-9a-f]{64})"', answer.text)
        return OpenForm(
            site=self,
            ticket=ticket,
            text=re.sub(r"<style>.*?</style>", "", answer.text, flags=re.DOTALL),
            cookie="; ".join(f"{name}={morsel.value}" for name, morsel in cookie.items()),
            token=token.group(1) if token else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenForm:
    """A ticket's page in somebody's browser."""

    site: Site
    ticket: Ticket
    text: str
    cookie: str
    token: str

    def headers(self) -> dict[str, str]:
        return {
            "Host": self.site.host,
            "Origin": self.site.url,
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": self.cookie,
        }

    def post(
        self, decision: str, *, headers: Mapping[str, str | None] | None = None, body: str | None = None, **fields: str
    ) -> Answer:
        """Send the form; a header that is None is left out."""
        sent = {name: value for name, value in {**self.headers(), **(headers or {})}.items() if value is not None}
        content = urlencode({"token": self.token, **fields}) if body is None else body
        return self.site.request("POST", f"/tickets/{self.ticket.id}/{decision}", body=content, headers=sent)


async def build(
    portal: BlockingPortal,
    settings: Settings,
    gateway: PaperGateway,
    patience: float,
    desk_type: type[Desk],
    *,
    charts: Charts | None,
    inbox: bool,
) -> Site:
    folder = settings.folder
    clock = ManualClock(datetime.now(UTC))
    wire = Wire(gateway.app)
    gunbot = Gunbot(settings.served, transport=wire)
    ledger = await Ledger.open(f"sqlite:///{folder / 'ledger.sqlite3'}", clock=clock)
    desk = desk_type(
        settings=settings,
        gunbot=gunbot,
        ledger=ledger,
        matrix=CapabilityMatrix(settings.capabilities),
        clock=clock,
        owner="a test",
        folder=folder,
    )
    gate = PinGate(ledger, folder, clock, live=settings.served.live)
    house: Background | None = None
    page = ApprovalPage(
        desk=desk,
        settings=settings,
        folder=folder,
        pin_gate=gate,
        patience=patience,
        charts=charts,
        port=(lambda: house and house.port) if inbox else None,
    )
    if inbox:
        served = [serves(folder, instance=settings.name, live=settings.served.live, url=settings.served.url)]
        app = Inbox(
            pages={settings.name: page}, served=served, ledger=ledger, folder=folder, port=lambda: house and house.port
        )
        house = Background(app, request_seconds=patience)
    url = await (page.ensure_started() if house is None else house.start(settings.approval.page_port))

    async def the_desk() -> Desk:
        return desk

    async def no_inbox() -> None:
        return None

    around = Surroundings(
        settings=settings,
        gunbot=gunbot,
        desk=the_desk,
        inbox_url=no_inbox,
        page_url=page.ensure_started,
        later=Later().start,
    )
    return Site(
        portal=portal,
        url=url,
        page=page,
        desk=desk,
        wire=wire,
        clock=clock,
        folder=folder,
        gunbot=gunbot,
        ledger=ledger,
        settings=settings,
        dispatcher=Dispatcher(around),
        house=house,
    )


async def close(site: Site, gateway: PaperGateway) -> None:
    await site.page.aclose()
    if site.house is not None:
        await site.house.aclose()
    await site.gunbot.aclose()
    await site.ledger.aclose()
    await gateway.aclose()
