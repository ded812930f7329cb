"""A mandate lets orders go without a human, up to its caps: whatever is tried, what is sent stays within it.

The gateway accepts everything, and what it received is added up by the prices at which it would have been filled.
"""

import functools
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from security.hostile import ORDER_TOOLS, WIDE, Era, Model, Tally, arguments_of, hostile, nothing_leaked, sent_only
from support import mandates
from support.mandates import grant

from gunbot_mcp.clock import Clock
from gunbot_mcp.config import Settings
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.mandate import Mandate

if TYPE_CHECKING:
    from support.live import SteppedClock
    from support.recorder import Recorder

MakeSettings = Callable[..., Settings]
pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOTH_ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])

ASK = Decimal(50001)  # what the recorder's book says, unless a test makes it say something else
LIMITS: dict[str, Any] = {
    **WIDE,
    "max_order": {"USDT": "1e6", "USDC": "1e6", "BTC": "1e6"},
    "max_day": {"USDT": "1e6", "USDC": "1e6", "BTC": "1e6"},
    "orders_per_day": 10**6,
}
EXCHANGES = (
    *("binance#2", "binance#1", "binance#", "Binance", "BINANCE", "binanceus", "binanceFutures", "bybit", "kraken"),
    *("binance ", " binance", "binance\x00", "b\u0456nance", "\uff42inance", "binance/USDT-BTC", "binance.", "*", ""),
)
PAIRS = (
    *("usdt-btc", "USDT-btc", "USDT-ETH", "USDC-BTC", "BTC-USDT", "USDT-BTC-LONG", "USDT-BTC-SHORT", "USDTBTC"),
    *("USDT_BTC", "USDT/BTC", "USDT-BTC ", "USDT-BTC\n", "USDT\u2011BTC", "USDT-BTC*", "USDT-*", "USDT-BTC,USDT-ETH"),
)
"""Nothing of either is what the mandate names, however much it looks like it."""


mandate = functools.partial(mandates.mandate, max_total=Decimal(200))


def worth(path: str, data: dict[str, Any], ask: Decimal) -> Decimal:
    """The most that the order can cost, or give away, with the book at `ask`; without fees."""
    if path == "/trade/buy":
        price = data["price"]
    elif path == "/trade/buy/stoplimit":
        price = data["limitPrice"]
    elif path == "/trade/buy/oco":
        price = max(data["price"], data["limit"])
    else:
        price = max([ask, *(data[name] for name in ("price", "stopPrice", "limit", "limitPrice") if name in data)])
    return data["amt"] * price


async def within(given: Mandate, runtime: Runtime, recorder: "Recorder", tally: Tally, ask: Decimal = ASK) -> Decimal:
    """Add up what arrived: each order and all of them together stay within the mandate."""
    total, beyond = Decimal(0), list[object]()
    for path, body in recorder.trades:
        data = json.loads(body, parse_float=Decimal, parse_int=Decimal)["data"]
        cost = worth(path, data, ask) if path != "/trade/cancel" else Decimal("inf")
        total += cost
        named = data["exch"] == given.exchange and data["pair"] in given.pairs
        if not named or cost > given.max_order or total > given.max_total:
            beyond.append((path, data, total))
    tally.unapproved = max(tally.unapproved, len(beyond))
    assert beyond == []
    assert "internal" not in tally.codes
    nothing_leaked(tally)
    (spent,) = await (await runtime.desk()).ledger.mandates("gunbot")
    assert total <= spent.spent <= given.max_total
    return total


@BOTH_ERAS
async def test_names_that_look_like_the_ones_in_the_mandate(
    era: Era, behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    async with hostile(behind(mode="auto", limits=LIMITS), era, tally) as (runtime, model):
        await grant(runtime, mandate())
        for tool in ORDER_TOOLS:
            for exchange in EXCHANGES:
                await model.call(tool, {**arguments_of(tool), "exchange": exchange})
            for pair in PAIRS:
                await model.call(tool, {**arguments_of(tool), "pair": pair})
        assert await within(mandate(), runtime, recorder, tally) == 0
    sent_only(0, recorder, tally)


@BOTH_ERAS
@pytest.mark.parametrize("exchange", ["binance", "bybit"])
async def test_orders_of_every_kind_and_size_many_at_once(
    era: Era, exchange: str, behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    rng = random.Random(f"{era} {exchange}")
    given = mandate(exchange=exchange, pairs=("USDT-BTC", "USDT-BTC-LONG"))
    async with hostile(behind(mode="auto", limits=LIMITS), era, tally) as (runtime, model):
        await grant(runtime, given)

        async def one() -> None:
            tool = rng.choice(ORDER_TOOLS)
            named = {name: rng.randrange(41000, 59000) for name in ("price", "stop_price", "limit_price")}
            arguments = {
                **arguments_of(tool),
                **{name: price for name, price in named.items() if name in arguments_of(tool)},
                "exchange": rng.choice([exchange, exchange, "binance", "bybit", f"{exchange}#2"]),
                "pair": rng.choice(["USDT-BTC", "USDT-BTC-LONG", "USDT-ETH"]),
            }
            if "amount" in arguments:
                arguments["amount"] = rng.choice([0.0001, 0.0005, 0.001, 0.0012, 0.004, 1])
            await model.call(tool, arguments)

        for _ in range(25):
            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    tasks.start_soon(one)
        assert await within(given, runtime, recorder, tally) > 50


@BOTH_ERAS
async def test_many_small_orders_through_two_servers_at_once(
    era: Era, behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    given = mandate(max_total=Decimal(60))
    chosen = behind(mode="auto", limits=LIMITS)
    async with (
        hostile(chosen, era, tally) as (runtime, one),
        hostile(chosen, era, tally) as (_, another),
    ):
        await grant(runtime, given)

        async def small(model: Model, turn: int) -> None:
            await model.call("buy_limit", {**arguments_of("buy_limit"), "amount": 0.0001, "price": 50000 - turn})

        async with anyio.create_task_group() as tasks:
            for turn in range(20):
                tasks.start_soon(small, one, turn)
                tasks.start_soon(small, another, turn + 100)
        assert await within(given, runtime, recorder, tally) > 50


@BOTH_ERAS
@pytest.mark.parametrize("risen", ["1.002", "1.0099", "1.05", "1.19", "3"])
@pytest.mark.parametrize("times", [1, 10], ids=["each order is capped", "all together are capped"])
async def test_market_orders_while_the_book_rises_between_proposal_and_sending(
    era: Era, risen: str, times: int, *, behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    amount = Decimal("0.001")
    # What the first book makes of it, to the last digit: with slippage and fee.
    first = amount * ASK * Decimal("1.01") * Decimal("1.001")
    given = mandate(max_order=times * first, max_total=3 * first)
    later = ASK * Decimal(risen)
    async with hostile(behind(mode="auto", limits=LIMITS), era, tally) as (runtime, model):
        await grant(runtime, given)
        for tool in ("buy_market", "sell_market", "sell_market", "buy_trailing_stop") * 2:
            recorder.on("/market/orderbook", book(ASK, recorder), book(later, recorder))
            order: dict[str, Any] = {"exchange": "binance", "pair": "USDT-BTC", "amount": float(amount)}
            if tool == "buy_trailing_stop":
                order |= {"amount": 0.00099, "price": 50000, "stop_price": 50001}
            await model.call(tool, order)
        await within(given, runtime, recorder, tally, ask=later)


def book(ask: Decimal, recorder: "Recorder") -> Any:  # noqa: ANN401 - the recorder's own reply
    levels = {"ask": [[float(ask), 5]], "bid": [[float(ask) - 1, 5]]}
    return recorder.json({"data": levels})


@BOTH_ERAS
@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_orders_after_the_mandate_ended(
    era: Era, how: str, *, behind: MakeSettings, recorder: "Recorder", tally: Tally, stepped_clock: "SteppedClock"
) -> None:
    async with hostile(behind(mode="auto", limits=LIMITS), era, tally, seams=stepped_clock.seams) as (runtime, model):
        given = mandate()
        await grant(runtime, given)
        assert (await model.call("buy_limit", arguments_of("buy_limit")))["status"] == "accepted"
        if how == "revoked":
            async with (await runtime.desk()).ledger.write() as write:
                assert await write.revoke_mandate("m1", TERMINAL)
        else:
            stepped_clock.pushed += 3601
        for tool in ORDER_TOOLS:
            for price in (50000, 49999):
                arguments = arguments_of(tool)
                await model.call(tool, arguments | ({"price": price} if "price" in arguments else {}))
        await within(given, runtime, recorder, tally)
    sent_only(1, recorder, tally)


@BOTH_ERAS
@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_orders_on_their_way_when_the_mandate_ends(
    era: Era, how: str, *, behind: MakeSettings, recorder: "Recorder", tally: Tally, stepped_clock: "SteppedClock"
) -> None:
    """The mandate covers it when it is proposed, and no more when the book is looked at for the last time."""
    chosen = behind(mode="auto", limits=LIMITS)
    given = mandate(expires_at=datetime.now(UTC) + timedelta(seconds=60))

    async def revoke() -> None:
        opened = await Ledger.open(f"sqlite:///{chosen.folder / 'ledger.sqlite3'}", clock=Clock())
        async with opened as ledger, ledger.write() as write:
            assert await write.revoke_mandate("m1", TERMINAL)

    def second_look() -> None:
        if len(recorder.to("/market/orderbook")) == 2:
            if how == "revoked":
                anyio.run(revoke)
            else:
                stepped_clock.pushed += 61

    async with hostile(chosen, era, tally, seams=stepped_clock.seams) as (runtime, model):
        await grant(runtime, given)
        recorder.when("/market/orderbook", second_look)
        await model.call("buy_limit", arguments_of("buy_limit"))
        assert len(recorder.to("/market/orderbook")) == 2
        await within(given, runtime, recorder, tally)
    sent_only(0, recorder, tally)
