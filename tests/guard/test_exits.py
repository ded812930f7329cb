"""Exits have limits of their own: a cap that keeps somebody from getting out is a danger."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from guard.cases import buy, case, limits
from support.mandates import grant, mandate

from gunbot_mcp.config import Limits, Settings
from gunbot_mcp.domain import Close, Intent, Leg, Purpose, Side
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import Refused
from gunbot_mcp.guard.case import Case
from gunbot_mcp.guard.checks import check_all
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import State, Ticket

if TYPE_CHECKING:
    from support.live import LiveGunbot

MakeSettings = Callable[..., Settings]
LONG = "USDT-BTC-LONG"
SELL = buy(side=Side.SELL, amount="0.02", price="51000")
STOP = buy(side=Side.SELL, amount="0.02", legs=(Leg(stop=Decimal(49500), limit=Decimal(49400)),))
CLOSE = Close(exchange="bybit", pair=LONG, amount=Decimal("0.02"), leg=Leg())
EXITS: tuple[Intent, ...] = (
    SELL,
    STOP,
    CLOSE,
    buy(side=Side.SELL, exchange="bybit", pair=LONG, amount="0.02", price="51000"),
    buy(exchange="bybit", pair="USDT-BTC-SHORT", amount="0.02"),
)
ENTRIES: tuple[Intent, ...] = (
    buy(amount="0.02"),
    buy(exchange="bybit", pair=LONG, amount="0.02"),
    buy(side=Side.SELL, exchange="bybit", pair="USDT-BTC-SHORT", amount="0.02", price="51000"),
    buy(side=Side.SELL, exchange="bybit", amount="0.02", price="51000"),  # may open a short position
)


def refused(found: Case) -> Refused:
    with pytest.raises(Refused) as refusal:
        check_all(found)
    return refusal.value


# Caps


@pytest.mark.parametrize("intent", EXITS)
def test_what_leaves_a_risk_may_be_ten_times_what_enters_one(intent: Intent) -> None:
    assert case(intent).purpose is Purpose.EXIT
    verdict = check_all(case(intent))
    assert verdict.notional is not None
    assert Limits().max_order["USDT"] < verdict.notional.amount < Limits().max_exit["USDT"]


@pytest.mark.parametrize("intent", ENTRIES)
def test_everything_else_is_an_entry(intent: Intent) -> None:
    assert case(intent).purpose is Purpose.ENTRY
    assert "limits.max_order" in refused(case(intent)).hint


def test_exits_follow_the_entries_caps_that_the_user_sets_unless_they_are_set_themselves() -> None:
    assert limits(max_order={"USDT": "100"}).max_exit == {"USDT": Decimal(1000)}
    assert limits(max_day={"USDT": "100"}).max_exit_day == {"USDT": Decimal(1000)}
    assert limits(max_order={"USDT": "100"}, max_exit={"USDT": "7"}).max_exit == {"USDT": Decimal(7)}
    assert limits(max_exit={"USDT": "7"}).max_order == Limits().max_order


def test_the_exits_own_cap_holds() -> None:
    found = refused(case(SELL, limits=limits(max_exit={"USDT": "1000"})))

    assert "at most 1,000 USDT per exit" in found.message


# Hints


@pytest.mark.parametrize(
    ("facts", "rules"),
    [
        ({}, {"max_exit": {"USDT": "100"}}),
        ({}, {"max_exit": {}}),
        ({}, {"max_exit_day": {"USDT": "100"}}),
        ({}, {"max_exit_day": {}}),
        ({"day_count": 5}, {"orders_per_day": 5}),
        ({}, {"price_band_percent": "0.5"}),
        ({"minute_count": 5}, {"orders_per_minute": 5}),
    ],
)
@pytest.mark.parametrize("intent", [SELL, STOP])
def test_no_hint_for_an_exit_advises_to_raise_what_lets_more_in(
    intent: Intent, facts: dict[str, Any], rules: dict[str, Any]
) -> None:
    found = refused(case(intent, limits=limits(**rules), **facts))

    assert found.hint
    for key in Limits.model_fields:
        assert f"limits.{key}" not in found.hint or key.startswith("max_exit")


def test_market_exits_are_not_told_to_widen_the_slippage_either() -> None:
    thin = Book(bid=Decimal(50000), ask=Decimal(50001), bids=((Decimal(50000), Decimal("0.0001")),), asks=())
    now = Book(bid=Decimal(45000), ask=Decimal(45001))
    sell = buy(side=Side.SELL, amount="0.001", legs=(Leg(),))

    assert "widen" not in refused(case(sell, book=thin)).hint
    assert "widen" not in refused(case(sell, book=now, seen=Book(bid=Decimal(50000), ask=Decimal(50001)))).hint
    entry = buy(amount="0.001", legs=(Leg(),))
    thick = Book(bid=Decimal(50000), ask=Decimal(50001), bids=(), asks=((Decimal(50001), Decimal("0.0001")),))
    assert "limits.slippage_percent" in refused(case(entry, book=thick)).hint


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        ({"max_order": {"USDT": "1"}}, "max_order"),
        ({"max_day": {"USDT": "1"}}, "max_day"),
        ({"price_band_percent": "0.01"}, "price_band_percent"),
    ],
)
def test_hints_for_entries_name_the_entries_limits(rules: dict[str, Any], key: str) -> None:
    assert f"limits.{key}" in refused(case(limits=limits(**rules))).hint


# On a live instance, with a ledger that counts


async def sent(desk: Desk, tool: str, **arguments: object) -> Ticket:
    endpoint = BY_NAME[tool]
    given = {"exchange": "binance", "pair": "USDT-BTC", **arguments}
    order = Order.of(endpoint, endpoint.args.model_validate(given))
    ticket = (await desk.propose(order, client="a client")).ticket
    return await desk.approve(ticket.id, by=TERMINAL)


@pytest.mark.anyio
async def test_a_days_entries_and_exits_add_up_apart(live_settings: MakeSettings) -> None:
    caps = {"max_order": {"USDT": "60"}, "max_day": {"USDT": "60"}, "max_exit": {"USDT": "250"}}
    async with Runtime(live_settings(limits={**caps, "max_exit_day": {"USDT": "250"}})) as runtime:
        desk = await runtime.desk()
        assert (await sent(desk, "buy_limit", amount=0.001, price=50000)).purpose is Purpose.ENTRY
        with pytest.raises(Refused, match="today's orders add up to"):
            await sent(desk, "buy_limit", amount=0.0011, price=50000)
        # The day's entries are used up, and a position can still be left.
        assert (await sent(desk, "sell_limit", amount=0.003, price=52000)).state is State.ACCEPTED
        with pytest.raises(Refused, match="today's exits add up to"):
            await sent(desk, "sell_limit", amount=0.0031, price=52000)


@pytest.mark.anyio
async def test_closing_a_position_counts_as_an_exit_of_the_day(live_settings: MakeSettings) -> None:
    caps = {"max_exit": {"USDT": "120"}, "max_exit_day": {"USDT": "120"}}
    bybit = {"exchange": "bybit", "pair": LONG, "amount": 0.002}
    async with Runtime(live_settings(limits=caps)) as runtime:
        desk = await runtime.desk()
        assert (await sent(desk, "close_market", **bybit)).state is State.ACCEPTED
        with pytest.raises(Refused, match="today's exits add up to"):
            await sent(desk, "close_limit", **bybit, price=51000)
        assert (await sent(desk, "buy_limit", **bybit, price=50000)).state is State.ACCEPTED


@pytest.mark.anyio
@pytest.mark.parametrize(("tool", "price"), [("buy_limit", 50000), ("sell_limit", 52000)])
async def test_a_mandates_caps_bind_entries_and_exits(live_settings: MakeSettings, tool: str, price: int) -> None:
    endpoint = BY_NAME[tool]
    async with Runtime(live_settings(mode="auto", limits={"duplicate_seconds": 0})) as runtime:
        desk = await runtime.desk()
        await grant(runtime, mandate(max_order=Decimal(60), max_total=Decimal(110), url=runtime.settings.served.url))
        states: list[State] = []
        for amount in (0.002, 0.001, 0.001, 0.001):
            given = {"exchange": "binance", "pair": "USDT-BTC", "amount": amount, "price": price}
            order = Order.of(endpoint, endpoint.args.model_validate(given))
            states.append((await desk.propose(order, client="a client", send=True)).ticket.state)

    assert states == [State.PENDING, State.ACCEPTED, State.ACCEPTED, State.PENDING]


# Contracts


@pytest.mark.anyio
async def test_the_size_of_a_contract_stands_in_the_ticket_and_its_sentence(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    settings = live_settings(contracts={"bybit/USDT-BTC-LONG": "0.001"})
    bybit = {"exchange": "bybit", "pair": LONG, "amount": 4, "price": 50000}
    endpoint = BY_NAME["buy_limit"]
    async with Runtime(settings) as runtime:
        desk = await runtime.desk()
        order = Order.of(endpoint, endpoint.args.model_validate(bybit))
        ticket = (await desk.propose(order, client="a client")).ticket
        again = await desk.get(ticket.id)

    assert ticket.contract_size == again.contract_size == Decimal("0.001")
    assert '"contract_size":"0.001"' in ticket.content
    assert ticket.notional == Decimal("200.2")
    assert "4 contracts of 0.001 BTC" in ticket.summary
    assert live_gunbot.trades == []


@pytest.mark.anyio
async def test_a_ticket_with_another_size_than_the_config_has_now_is_not_sent(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    bybit = {"exchange": "bybit", "pair": LONG, "amount": 0.001, "price": 50000}
    endpoint = BY_NAME["buy_limit"]
    async with Runtime(live_settings()) as runtime:
        order = Order.of(endpoint, endpoint.args.model_validate(bybit))
        ticket = (await (await runtime.desk()).propose(order, client="a client")).ticket
    async with Runtime(live_settings(contracts={"bybit/USDT-BTC-LONG": "1.5"})) as runtime:
        closed = await (await runtime.desk()).approve(ticket.id, by=TERMINAL)

    assert closed.state is State.VOID
    assert live_gunbot.trades == []
