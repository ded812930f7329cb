"""What the desk makes of a Gunbot that fails: nothing is sent twice, nothing is called what it is not."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from support.desks import ORDER, open_desk, propose
from support.exchange import AFTER, BEFORE, Exchange, Order

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.config import Instance, Settings
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import PairLocked, TicketClosed
from gunbot_mcp.guard import outbox
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.following import Follower
from gunbot_mcp.guard.outbox import Outbox
from gunbot_mcp.guard.timing import Timing
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.port import Link
from gunbot_mcp.reload import Rules
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.order import Order as TypedOrder
from gunbot_mcp.tickets.ticket import Reason, ReasonCode, State, Ticket

pytestmark = pytest.mark.anyio

NOT_DELIVERED = {"refused", "no route"}
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.db"


def a_strangers(order_id: str, **fields: Any) -> Order:  # noqa: ANN401 - any field
    """An order that nobody here sent, of the same look as `propose`'s, unless the fields say otherwise."""
    look: dict[str, Any] = {"pair": "USDT-BTC", "side": "buy", "amount": 0.001, "rate": 49000.1, "filled_at": None}
    return Order(id=order_id, ticket="", shown_at=0, **{**look, **fields})


async def look(desk: Desk, exchange: Exchange, ticket: Ticket) -> Ticket:
    """Settle a ticket as it once was: as another process does, that has not heard the news yet."""
    instance = Instance.model_validate({"url": "http://gunbot.invalid", "token": "hush-hush"})
    settings = Settings.model_construct(instance="live", instances={"live": instance})
    async with Gunbot(instance, transport=exchange) as gunbot:
        follower = Follower(
            settings=settings,
            rules=Rules(settings),
            ledger=desk.ledger,
            gunbot=gunbot,
            clock=desk.clock,
            timing=Timing(),
        )
        return await follower.look(ticket)


async def test_an_accepted_order_gets_its_order_id(url: str, tmp_path: Path) -> None:
    exchange = Exchange()
    async with open_desk(url, tmp_path, exchange) as desk:
        done = await desk.approve((await propose(desk)).id, by=TERMINAL)
        assert done.state is State.ACCEPTED
        assert done.observed is not None
        assert done.observed.order_ids[0] == exchange.orders[0].id
        market = await desk.approve((await propose(desk, "buy_market", price=None)).id, by=TERMINAL)
        assert market.observed is not None
        assert market.observed.order_ids[0] == exchange.orders[1].id


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
async def test_every_failure_is_called_what_it_is(url: str, tmp_path: Path, fault: str) -> None:
    # What is late does not arrive while this test looks.
    exchange = Exchange(plan=[fault])
    async with open_desk(url, tmp_path, exchange) as desk:
        done = await desk.approve((await propose(desk)).id, by=TERMINAL)
        if fault in NOT_DELIVERED:
            assert done.state is State.VOID
        elif fault in BEFORE or fault == "late":
            assert done.state is State.UNKNOWN
        else:
            assert (done.state, bool(done.observed)) == (State.ACCEPTED, True)
        assert len(exchange.posts) == 1
        with pytest.raises(TicketClosed):
            await desk.approve(done.id, by=TERMINAL)
        assert len(exchange.posts) == 1
        assert done.answer is not None
        assert done.answer["error"]["retryable"] is False


@pytest.mark.parametrize("no", ["400", "401", "200 error"])
async def test_gunbots_no_is_a_rejection(url: str, tmp_path: Path, no: str) -> None:
    async with open_desk(url, tmp_path, Exchange(plan=[no])) as desk:
        assert (await desk.approve((await propose(desk)).id, by=TERMINAL)).state is State.REJECTED
        await propose(desk)


async def test_an_unknown_order_locks_its_pair_and_side_until_a_human_resolves_it(url: str, tmp_path: Path) -> None:
    exchange = Exchange(plan=["unsent"])
    async with open_desk(url, tmp_path, exchange) as desk:
        waiting = await propose(desk)
        lost = await desk.approve((await propose(desk)).id, by=TERMINAL)
        assert lost.state is State.UNKNOWN
        with pytest.raises(PairLocked):
            await propose(desk)
        assert (await desk.approve(waiting.id, by=TERMINAL)).state is State.VOID
        await propose(desk, "sell_limit")
        await propose(desk, pair="USDT-ETH")
        assert (await desk.get(lost.id, look=True)).state is State.UNKNOWN
        await desk.resolve(lost.id, placed=False, order_id=None, by=TERMINAL)
        await propose(desk)
        assert len(exchange.posts) == 1


@pytest.mark.parametrize(
    "orders",
    [
        [a_strangers("1"), a_strangers("2")],
        [a_strangers("1", amount=0.002)],
        [a_strangers("1", side="sell")],
        [a_strangers("1", rate=48000.0)],
    ],
)
async def test_none_or_several_matches_answer_nothing(url: str, tmp_path: Path, orders: list[Order]) -> None:
    exchange = Exchange(plan=["unsent"])
    async with open_desk(url, tmp_path, exchange) as desk:
        lost = await desk.approve((await propose(desk)).id, by=TERMINAL)
        exchange.orders += orders
        looked = await desk.get(lost.id, look=True)
        assert looked.state is State.UNKNOWN
        several = [order.id for order in orders] if len(orders) > 1 else []
        assert [name for found in await desk.candidates(looked) for name in found.order_ids] == several


async def test_an_order_that_was_there_before_is_no_answer_even_when_it_fills_now(url: str, tmp_path: Path) -> None:
    older = a_strangers("1")
    exchange = Exchange(plan=["unsent"], orders=[older])
    async with open_desk(url, tmp_path, exchange) as desk:
        lost = await desk.approve((await propose(desk)).id, by=TERMINAL)
        older.filled_at = 0
        assert (await desk.get(lost.id, look=True)).state is State.UNKNOWN


@pytest.mark.parametrize("path", ["/coremem/single", "/orders/page"])
async def test_where_the_orders_before_could_not_be_read_no_fill_is_an_answer(
    url: str, tmp_path: Path, path: str
) -> None:
    class Blind(Exchange):
        blind = True

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if self.blind and request.url.path.endswith(path):
                return httpx2.Response(400, json={"status": "error", "message": "not now"})
            return await super().handle_async_request(request)

    exchange = Blind(plan=["unsent"])
    async with open_desk(url, tmp_path, exchange) as desk:
        lost = await desk.approve((await propose(desk)).id, by=TERMINAL)
        exchange.blind = False
        exchange.orders.append(a_strangers("1", filled_at=0))
        assert (await desk.get(lost.id, look=True)).state is State.UNKNOWN


async def test_an_order_answers_for_one_ticket_only(url: str, tmp_path: Path) -> None:
    """Two equal orders are on their way at once; only the second arrives."""
    first_sent, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Exchange):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.url.path.startswith("/api/v1/trade/") and not first_sent.is_set():
                first_sent.set()
                await go_on.wait()
            return await super().handle_async_request(request)

    exchange = Slow(plan=[None, "unsent"])
    async with open_desk(url, tmp_path, exchange) as desk:
        lost, arrives = await propose(desk), await propose(desk)
        losing = asyncio.create_task(desk.approve(lost.id, by=TERMINAL))
        await first_sent.wait()
        arrived = await desk.approve(arrives.id, by=TERMINAL)
        go_on.set()
        assert arrived.state is State.ACCEPTED
        assert (await losing).state is State.UNKNOWN
        assert (await desk.get(lost.id, look=True)).state is State.UNKNOWN


async def test_both_legs_of_a_linked_order_are_one_answer(url: str, tmp_path: Path) -> None:
    exchange = Exchange(plan=["unsent"])
    async with open_desk(url, tmp_path, exchange) as desk:
        prices: dict[str, Any] = {"stop_price": Decimal(52_000), "limit_price": Decimal(52_100)}
        lost = await desk.approve((await propose(desk, "buy_oco", **prices)).id, by=TERMINAL)
        exchange.orders += [a_strangers("1"), a_strangers("2", rate=52_100.0)]
        found = await desk.get(lost.id, look=True)
        assert found.state is State.ACCEPTED
        assert found.observed is not None
        assert found.observed.order_ids == ("1", "2")
        again = await look(desk, exchange, lost)
        assert again.observed is not None
        assert (again.state, again.observed.order_ids) == (found.state, found.observed.order_ids)


async def test_a_ticket_that_was_never_claimed_is_not_looked_for(url: str, tmp_path: Path) -> None:
    exchange = Exchange()
    async with open_desk(url, tmp_path, exchange) as desk:
        ticket = await propose(desk)
        assert await look(desk, exchange, ticket) == ticket


async def test_a_wallet_that_cannot_log_in_sends_nothing() -> None:
    exchange = Exchange()
    instance = Instance.model_validate({"url": "http://gunbot.invalid", "password": "p", "wallet": "short"})
    endpoint = BY_NAME["buy_limit"]
    async with Gunbot(instance, transport=exchange) as gunbot:
        result = await outbox.post_once(gunbot, TypedOrder.of(endpoint, endpoint.args.model_validate(ORDER)))
    assert (result.state, exchange.posts) == (State.VOID, [])


async def test_a_login_that_fails_has_sent_no_order(url: str, tmp_path: Path) -> None:
    exchange = Exchange(orders=[a_strangers("1")])
    cancel: dict[str, Any] = {"order_id": "1", "price": Decimal("49000.1"), "order_type": "limit"}

    class NoLogin(Exchange):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if request.url.path.endswith("/auth/login"):
                raise httpx2.ReadTimeout("slow", request=request)
            return await super().handle_async_request(request)

    async with open_desk(url, tmp_path, exchange) as desk:
        ticket = await propose(desk, "cancel_order", **cancel)
    away = NoLogin()
    async with open_desk(url, tmp_path, away, token="", password="p", wallet="w" * 16) as desk:
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.VOID
        assert away.posts == []


# Clocks


@pytest.mark.parametrize("jump", [timedelta(days=-1), timedelta(seconds=-6), timedelta(seconds=121), timedelta(days=1)])
async def test_a_clock_that_is_set_ends_a_ticket(url: str, tmp_path: Path, jump: timedelta) -> None:
    clock, exchange = ManualClock(NOON), Exchange()
    async with open_desk(url, tmp_path, exchange, clock=clock) as desk:
        ticket = await propose(desk)
        clock.set_wall(NOON + jump)
        with pytest.raises(TicketClosed):
            await desk.approve(ticket.id, by=TERMINAL)
        assert (await desk.get(ticket.id)).state is State.EXPIRED
        assert exchange.posts == []


async def test_a_ticket_that_expires_between_approval_and_sending_is_not_sent(url: str, tmp_path: Path) -> None:
    clock = ManualClock(NOON)

    class Slow(Exchange):
        approving = False

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            if self.approving:
                clock.advance(timedelta(seconds=60))
            return await super().handle_async_request(request)

    exchange = Slow()
    async with open_desk(url, tmp_path, exchange, clock=clock) as desk:
        ticket = await propose(desk)
        exchange.approving = True
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.VOID
        assert exchange.posts == []


@pytest.mark.parametrize("pause", [timedelta(minutes=10), timedelta(minutes=-10)])
async def test_a_process_that_slept_after_its_claim_does_not_send_any_more(
    url: str, tmp_path: Path, pause: timedelta
) -> None:
    clock, exchange = ManualClock(NOON), Exchange()

    class Sleepy(Database):
        """Falls asleep between the commit of the claim and the next line."""

        asleep = False

        async def commit(self, connection: Link) -> None:
            await super().commit(connection)
            if self.asleep:
                clock.set_wall(clock.now() + pause)

    database = Sleepy(url, 5)
    async with open_desk(url, tmp_path, exchange, clock=clock, database=database) as desk:
        ticket = await propose(desk)
        database.asleep = True
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.VOID
        assert exchange.posts == []


# What nobody foresaw


class Stuck(Exchange):
    """Takes an order and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = asyncio.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await super().handle_async_request(request)
        if request.url.path.startswith("/api/v1/trade/"):
            self.taken.set()
            await asyncio.Event().wait()
        return answer


async def test_a_task_that_is_cancelled_while_sending_leaves_an_unknown_order(url: str, tmp_path: Path) -> None:
    exchange = Stuck()
    async with open_desk(url, tmp_path, exchange) as desk:
        ticket = await propose(desk)
        approving = asyncio.create_task(desk.approve(ticket.id, by=TERMINAL))
        await exchange.taken.wait()
        approving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await approving
        assert (await desk.get(ticket.id)).state is State.UNKNOWN
        found = await desk.get(ticket.id, look=True)
        assert found.state is State.ACCEPTED
        assert found.observed is not None
        assert found.observed.order_ids[0] == exchange.orders[0].id


class Broken(Exchange):
    """Fails in a way that nobody foresaw, at one path, once it is `broken`."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path, self.broken = path, False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.broken and request.url.path.endswith(self.path):
            raise ZeroDivisionError
        return await super().handle_async_request(request)


async def test_a_fault_that_nobody_foresaw_is_passed_on_but_not_before_it_is_recorded(url: str, tmp_path: Path) -> None:
    exchange = Broken("/market/orderbook")
    async with open_desk(url, tmp_path, exchange) as desk:
        ticket = await propose(desk)
        exchange.broken = True
        with pytest.raises(ZeroDivisionError):
            await desk.approve(ticket.id, by=TERMINAL)
        assert (await desk.get(ticket.id)).state is State.VOID
        assert await desk.ledger.verify() == []


async def test_a_fault_that_nobody_foresaw_after_the_order_began_to_leave_does_not_take_the_tickets_place(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = Broken("/trade/buy")
    async with open_desk(url, tmp_path, exchange) as desk:
        ticket = await propose(desk)
        exchange.broken = True
        done = await desk.approve(ticket.id, by=TERMINAL)
        assert (done.id, done.state) == (ticket.id, State.UNKNOWN)
        assert "ZeroDivisionError" in caplog.text
        assert (await desk.get(ticket.id)).state is State.UNKNOWN
        assert await desk.ledger.verify() == []


async def test_a_look_that_fails_in_a_way_that_nobody_foresaw_does_not_hide_that_the_order_was_taken(
    url: str, tmp_path: Path
) -> None:
    class Odd(Broken):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            answer = await super().handle_async_request(request)
            self.broken = self.broken or bool(self.posts)
            return answer

    exchange = Odd("/coremem/single")
    async with open_desk(url, tmp_path, exchange) as desk:
        done = await desk.approve((await propose(desk)).id, by=TERMINAL)
        assert (done.state, done.observed) == (State.ACCEPTED, None)


async def test_a_senders_late_word_is_kept_where_a_human_had_settled_the_ticket_otherwise(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_desk(url, tmp_path, Exchange(plan=["unsent"])) as desk:
        lost = await desk.approve((await propose(desk)).id, by=TERMINAL)
        void = await desk.resolve(lost.id, placed=False, order_id=None, by=TERMINAL)
        with caplog.at_level(logging.CRITICAL):
            for _ in range(2):
                said = outbox.Result(
                    state=State.ACCEPTED, reason=Reason(ReasonCode.TAKEN), answer={"message": "Order sent"}
                )
                late = await Outbox(ledger=desk.ledger, folder=tmp_path, timing=Timing()).record(lost, said)
                assert late.state is void.state
        assert "its sender says accepted" in caplog.text
        kinds = [event.kind for event in await desk.ledger.events(ticket=lost.id)]
        assert kinds.count(outbox.LATE) == 1
        assert await desk.ledger.verify() == []


async def test_a_try_that_came_to_nothing_does_not_write_over_the_word_of_the_one_that_sent(
    url: str, tmp_path: Path
) -> None:
    async with open_desk(url, tmp_path, Exchange(plan=["unsent"])) as desk:
        lost = await desk.approve((await propose(desk)).id, by=TERMINAL)
        outbox_ = Outbox(ledger=desk.ledger, folder=tmp_path, timing=Timing())
        sent = outbox.Result(state=State.ACCEPTED, reason=Reason(ReasonCode.TAKEN), answer={"message": "Order sent"})
        assert outbox_.spool(lost, sent)
        other_try = replace(lost, baseline={"claim": "another"})
        assert outbox_.spool(other_try, outbox.not_sent(PairLocked("no", "")))
        await outbox_.take_in(lost.instance)
        assert (await desk.get(lost.id)).state is State.ACCEPTED
        assert list((tmp_path / "outcomes").iterdir()) == []
