"""`get_limits`: every limit, what is used, what is left, until when."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from support.mandates import grant, mandate

from gunbot_mcp.config import Limits, Settings, load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.runtime import Runtime

if TYPE_CHECKING:
    from support.live import LiveGunbot

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio
BUY = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}
SELL = {**BUY, "price": 52000}


async def _limits(runtime: Runtime) -> list[dict[str, Any]]:
    answer: Any = await runtime.dispatcher.call("get_limits", {}, Caller(name="tests"))
    assert not answer.is_error, answer.text
    return [dict(zip(answer.structured["columns"], row, strict=True)) for row in answer.structured["rows"]]


def _one(rows: list[dict[str, Any]], limit: str, asset: str | None = None) -> dict[str, Any]:
    return next(row for row in rows if row["limit"] == limit and row["asset"] == asset)


async def test_every_limit_is_there_for_every_asset() -> None:
    async with Runtime(load()) as runtime:
        rows = await _limits(runtime)

    assert {row["limit"] for row in rows} == set(Limits.model_fields)
    for key in ("max_order", "max_day", "max_exit", "max_exit_day", "code_above"):
        assert {row["asset"] for row in rows if row["limit"] == key} == set(getattr(Limits(), key))


async def test_what_was_sent_is_used_and_the_rest_is_left_until_midnight() -> None:
    async with Runtime(load(instances={"paper": {"mode": "auto"}})) as runtime:
        before = await _limits(runtime)
        for tool, order in (("buy_limit", BUY), ("sell_limit", SELL)):
            sent: Any = await runtime.dispatcher.call(tool, order, Caller(name="tests"))
            assert sent.structured["status"] == "accepted", sent.text
        rows = await _limits(runtime)

    day = _one(rows, "max_day", "USDT")
    assert (_one(before, "max_day", "USDT")["used"], _one(before, "max_day", "USDT")["left"]) == (0, 1000)
    assert (day["used"], day["left"], day["most"]) == (50.05, 949.95, 1000)
    assert day["until"].endswith("T00:00:00Z")
    exits = _one(rows, "max_exit_day", "USDT")
    assert (exits["used"], exits["left"]) == (52.052, 9947.948)
    assert (_one(rows, "max_day", "BTC")["used"], _one(rows, "max_exit_day", "BTC")["used"]) == (0, 0)
    count = _one(rows, "orders_per_day")
    assert (count["used"], count["left"], count["most"]) == (2, 198, 200)
    minute = next(row for row in rows if row["for"] == "orders proposed in a minute")
    assert (minute["used"], minute["left"]) == (2, 28)


async def test_the_text_says_what_entries_and_exits_are_and_how_wide_exits_are() -> None:
    async with Runtime(load()) as runtime:
        answer: Any = await runtime.dispatcher.call("get_limits", {}, Caller(name="tests"))

    assert "10 times the entries' caps" in answer.text
    assert "a sell of a -LONG" in answer.text
    assert "max_exit,one exit,USDT,2500" in answer.text
    assert len(answer.text.encode()) < 24_000


async def test_mandates_and_sizes_of_contracts_are_limits_too(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(contracts={"okex5/USDT-DOGE-LONG": "1000"})) as runtime:
        await grant(runtime, mandate(max_order=Decimal(60), max_total=Decimal(110), url=live_gunbot.url))
        rows = await _limits(runtime)

    whole, one = [row for row in rows if row["limit"] == "mandate m1"]
    assert (whole["most"], whole["used"], whole["left"], whole["asset"]) == (110, 0, 110, "USDT")
    assert whole["until"]
    assert (one["most"], "entry or exit" in one["for"]) == (60, True)
    assert _one(rows, "contracts okex5/USDT-DOGE-LONG")["most"] == 1000


async def test_it_can_be_read_in_read_only_mode_and_asks_gunbot_nothing(live_gunbot: "LiveGunbot") -> None:
    gunbot = {"url": live_gunbot.url, "token": "abc", "mode": "read-only"}
    async with Runtime(load(instances={"gunbot": gunbot})) as runtime:
        assert await _limits(runtime)

    assert live_gunbot.requests == 0
