"""What happens between an approval and its POST: the last look counts, and what it refuses was never sent."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.desks import open_desk, propose
from support.exchange import Exchange
from support.live import SteppedClock

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.errors import LedgerUnavailable, TicketClosed
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.halt import halt
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.port import Link
from gunbot_mcp.tickets.channels import TERMINAL, Actor
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.reasons import reason_text
from gunbot_mcp.tickets.ticket import Certainty, State

pytestmark = pytest.mark.anyio
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
BOOK = "/market/orderbook"
HISTORY = "/orders/page"  # the last read before the claim


class Meanwhile(Exchange):
    """Does something once, when a path is asked for after the order was proposed; its book can be moved."""

    def __init__(self, path: str = HISTORY) -> None:
        super().__init__()
        self._path = path
        self.act: Callable[[], Awaitable[None]] | None = None
        self.book: dict[str, Any] = {"ask": [[50_000.5, 1.0]], "bid": [[49_999.5, 1.0]]}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.act is not None and request.url.path.endswith(self._path):
            act, self.act = self.act, None
            await act()
        if request.url.path.endswith(BOOK):
            return httpx2.Response(200, json={"data": self.book})
        return await super().handle_async_request(request)


def mandate(**fields: Any) -> Mandate:  # noqa: ANN401 - any field
    facts: dict[str, Any] = {
        "id": "m1",
        "instance": "live",
        "exchange": "binance",
        "pairs": ("USDT-BTC",),
        "asset": "USDT",
        "max_order": Decimal(51),
        "max_total": Decimal(100),
        "live": True,
        "url": "http://gunbot.invalid",
        "created_at": NOON,
        "expires_at": NOON + timedelta(hours=1),
        "created_by": TERMINAL,
    }
    return Mandate(**{**facts, **fields})


async def by_mandate(desk: Desk, given: Mandate, tool: str = "buy_limit", **arguments: Any) -> str:  # noqa: ANN401 - any argument
    """Propose what the mandate covers and return its ticket."""
    async with desk.ledger.write() as write:
        await write.add_mandate(given)
    return (await propose(desk, tool, **arguments)).id


async def spent(desk: Desk) -> Decimal:
    (found,) = await desk.ledger.mandates("live")
    return found.spent


async def test_a_mandate_that_is_revoked_while_the_market_is_asked_sends_nothing(
    ledger_url: str, tmp_path: Path
) -> None:
    exchange, clock = Meanwhile(), ManualClock(NOON)
    async with open_desk(ledger_url, tmp_path, exchange, clock=clock, mode="auto") as desk:
        ticket = await by_mandate(desk, mandate())

        async def revoke() -> None:
            async with desk.ledger.write() as write:
                assert await write.revoke_mandate("m1", TERMINAL)

        exchange.act = revoke
        with pytest.raises(TicketClosed, match="m1"):
            await desk.approve(ticket, by=Actor("mandate", "m1"))
        assert exchange.posts == []
        assert (await desk.get(ticket)).state is State.PENDING  # a human can still decide


async def test_a_mandate_that_runs_out_while_the_market_is_asked_sends_nothing(ledger_url: str, tmp_path: Path) -> None:
    exchange, clock = Meanwhile(), ManualClock(NOON)
    async with open_desk(ledger_url, tmp_path, exchange, clock=clock, mode="auto") as desk:
        ticket = await by_mandate(desk, mandate(expires_at=NOON + timedelta(seconds=10)))

        async def wait() -> None:
            clock.advance(timedelta(seconds=10))

        exchange.act = wait
        with pytest.raises(TicketClosed, match="m1"):
            await desk.approve(ticket, by=Actor("mandate", "m1"))
        assert exchange.posts == []


@pytest.mark.parametrize(("bid", "state"), [(50_200.0, State.ACCEPTED), (70_000.0, State.VOID)])
async def test_an_order_that_grew_since_its_approval_must_still_fit_the_mandate(
    ledger_url: str, tmp_path: Path, bid: float, state: State
) -> None:
    exchange, clock = Meanwhile(BOOK), ManualClock(NOON)
    async with open_desk(ledger_url, tmp_path, exchange, clock=clock, mode="auto") as desk:
        ticket = await by_mandate(desk, mandate(), "sell_market", price=None)

        async def rise() -> None:
            exchange.book = {"ask": [[bid + 1, 1.0]], "bid": [[bid, 1.0]]}

        exchange.act = rise
        assert (await desk.approve(ticket, by=Actor("mandate", "m1"))).state is state
        assert len(exchange.posts) == (state is State.ACCEPTED)
        # What it grew by is spent, too.
        assert await spent(desk) == (Decimal("50.75371301") if state is State.ACCEPTED else Decimal("50.551005505"))


async def test_a_halt_holds_to_the_last_moment(ledger_url: str, tmp_path: Path) -> None:
    exchange = Meanwhile()

    class HaltsAfter(Database):
        """Somebody halts between the commit of the claim and the POST."""

        armed = False

        async def commit(self, connection: Link) -> None:
            await super().commit(connection)
            if self.armed:
                halt(tmp_path, "enough")

    database = HaltsAfter(ledger_url, 5)
    async with open_desk(ledger_url, tmp_path, exchange, database=database) as desk:
        ticket = await propose(desk)
        database.armed = True
        done = await desk.approve(ticket.id, by=TERMINAL)
        assert (done.state, exchange.posts) == (State.VOID, [])
        assert "enough" in str(reason_text(done))


A, B, PAPER = "http://gunbot.invalid", "http://another.invalid", ""
MOVES = pytest.mark.parametrize(
    ("made", "served", "why"),
    [
        (A, B, "another Gunbot"),
        (A, "https://gunbot.invalid", "another Gunbot"),
        (PAPER, A, "to a paper instance"),
        (A, PAPER, "to a live instance"),
    ],
)


@MOVES
async def test_a_ticket_is_for_the_gunbot_that_it_was_proposed_to(
    ledger_url: str, tmp_path: Path, made: str, served: str, why: str
) -> None:
    exchange = Exchange()
    async with open_desk(ledger_url, tmp_path, exchange, url=made) as desk:
        ticket = await propose(desk)
        assert (ticket.url, ticket.live) == (made, bool(made))
    async with open_desk(ledger_url, tmp_path, exchange, url=served) as desk:
        done = await desk.approve(ticket.id, by=TERMINAL)
        assert (done.state, exchange.posts) == (State.VOID, [])
        assert why in str(reason_text(done))


@MOVES
async def test_a_mandate_and_its_ticket_send_nothing_once_the_server_serves_another_gunbot(
    ledger_url: str, tmp_path: Path, made: str, served: str, why: str
) -> None:
    del why
    exchange, clock = Exchange(), ManualClock(NOON)
    async with open_desk(ledger_url, tmp_path, exchange, clock=clock, url=made, mode="approve") as desk:
        ticket = await by_mandate(desk, mandate(url=made, live=bool(made)))
    async with open_desk(ledger_url, tmp_path, exchange, clock=clock, url=served, mode="auto") as desk:
        with pytest.raises(TicketClosed):
            await desk.approve(ticket, by=Actor("mandate", "m1"))
        assert (exchange.posts, await spent(desk)) == ([], Decimal(0))


async def test_a_book_whose_sides_cross_is_no_market(ledger_url: str, tmp_path: Path) -> None:
    exchange = Meanwhile(BOOK)
    async with open_desk(ledger_url, tmp_path, exchange) as desk:
        ticket = await propose(desk)

        async def cross() -> None:
            exchange.book = {"ask": [[1, 1.0]], "bid": [[49_999, 1.0]]}

        exchange.act = cross
        done = await desk.approve(ticket.id, by=TERMINAL)
        assert (done.state, exchange.posts) == (State.VOID, [])
        assert "no order book" in str(reason_text(done))


@pytest.mark.parametrize("edit", ["content 0.001", "fingerprint a", "notional 0"])
@pytest.mark.parametrize("when", ["before the approval", "after it"])
async def test_a_ticket_that_was_edited_in_the_store_is_not_sent(
    ledger_url: str, tmp_path: Path, execute_sql: Callable[..., None], edit: str, when: str
) -> None:
    exchange = Meanwhile()
    async with open_desk(ledger_url, tmp_path, exchange) as desk:
        ticket = await propose(desk)

        async def change() -> None:
            column, digits = edit.split()
            execute_sql(ledger_url, f"UPDATE tickets SET {column} = replace({column}, '{digits}', '0.004')")

        if when == "after it":
            exchange.act = change
        else:
            await change()
        with pytest.raises(LedgerUnavailable, match=r"not what was recorded|is damaged"):
            await desk.approve(ticket.id, by=TERMINAL)
        assert exchange.posts == []


class SlowToTellTheTime(Exchange):
    """A question for `/time` is on its way as long as `takes` says next, then as its last says."""

    def __init__(self, clock: SteppedClock, *takes: float) -> None:
        super().__init__(now=clock.monotonic)
        self._clock = clock
        self._takes = list(takes)
        self.asked = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/time"):
            self.asked += 1
            self._clock.pushed += self._takes.pop(0) if len(self._takes) > 1 else self._takes[0]
        return await super().handle_async_request(request)


@pytest.mark.parametrize(
    ("takes", "asked"),
    [((0.02,), 1), ((0.3,), 1), ((0.7, 0.02), 2), ((0.7,), 2)],
    ids=["at once", "not at once", "the first time slowly, as a machine with much to do", "always, as one far away"],
)
async def test_a_market_order_is_found_however_long_gunbot_took_to_tell_its_time(
    ledger_url: str, tmp_path: Path, stepped_clock: SteppedClock, takes: tuple[float, ...], asked: int
) -> None:
    """Its time bounds what can be ours: an order that fills before that bound has passed could be anybody's."""
    gunbot = SlowToTellTheTime(stepped_clock, *takes)
    async with open_desk(ledger_url, tmp_path, gunbot, clock=stepped_clock) as desk:
        for _ in range(2):
            ticket = await propose(desk, "buy_market", price=None)
            bought = await desk.approve(ticket.id, by=TERMINAL)
            assert bought.observed is not None
            assert (bought.observed.certainty, bought.observed.filled) == (Certainty.MATCH, Decimal("0.001"))
    assert gunbot.asked == asked
