"""What did you do for me today, and who approved it? One call, and small."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gunbot_mcp.config import Settings, load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import TERMINAL

if TYPE_CHECKING:
    from support.live import LiveGunbot, SteppedClock

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio
BUY = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000}


async def _call(runtime: Runtime, tool: str, **arguments: object) -> Any:  # noqa: ANN401 - an answer
    return await runtime.dispatcher.call(tool, arguments, Caller(name="claude"))


async def _propose(runtime: Runtime, number: int) -> str:
    """Return the id of a new order's ticket; each number gives another order."""
    made = await _call(runtime, "buy_limit", **{**BUY, "price": 50000 + number})
    return str(made.structured["ticket"]["id"])


def _rows(answer: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - an answer
    return [dict(zip(answer.structured["columns"], row, strict=True)) for row in answer.structured["rows"]]


async def test_today_says_who_proposed_who_decided_when_and_what_became_of_it(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime:
        live_gunbot.set_price(50500)
        desk = await runtime.desk()
        ids = [await _propose(runtime, n) for n in range(5)]
        await desk.approve(ids[0], by=TERMINAL)
        await desk.decline(ids[1], by=TERMINAL)
        answer = await _call(runtime, "list_tickets", since="today")

    rows = {row["id"]: row for row in _rows(answer)}
    assert list(rows) == ids[::-1]
    approved, declined, waiting = (rows[ids[at]] for at in range(3))
    assert (approved["state"], approved["proposed_by"], approved["decided_by"]) == ("accepted", "claude", "terminal")
    assert approved["decided_at"] >= approved["created_at"]
    assert "Order " in approved["outcome"]
    assert (declined["state"], declined["decided_by"]) == ("declined", "terminal")
    assert declined["decided_at"]
    assert (waiting["decided_by"], waiting["decided_at"]) == (None, None)
    assert "5 tickets since today" in answer.text
    assert "1 sent to Gunbot" in answer.text
    assert "All other orders are Gunbot's own" in answer.text
    assert max(len(answer.text.encode()), len(json.dumps(answer.structured))) <= 2_000


async def test_a_day_of_thirty_tickets_is_told_in_two_kilobytes_with_all_their_sums_and_the_way_to_the_others(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings()) as runtime:
        live_gunbot.set_price(50500)
        desk = await runtime.desk()
        ids: list[str] = []
        for n in range(30):
            ids.append(await _propose(runtime, n))
            if n % 3:
                await (desk.approve if n % 3 == 1 else desk.decline)(ids[-1], by=TERMINAL)
        answer = await _call(runtime, "list_tickets", since="today")
        told = answer.structured["cut"]
        others = [await _call(runtime, told["next"]["tool"], **told["next"]["arguments"])]
        while following := others[-1].structured["cut"].get("next"):
            others.append(await _call(runtime, following["tool"], **following["arguments"]))

    assert "30 tickets since today" in answer.text
    assert "10 sent to Gunbot (10 accepted, 10 declined, 10 pending)" in answer.text
    assert answer.structured["about"] in answer.text
    assert (told["from_row"], told["total"]) == (1, 30)
    assert told["rows"] >= 5
    assert f"rows 1 to {told['rows']} of 30; go on with list_tickets" in answer.text
    assert max(len(answer.text.encode()), len(json.dumps(answer.structured))) <= 2_000
    assert [row["id"] for one in (answer, *others) for row in _rows(one)] == ids[::-1]
    assert len(others) <= 2


async def test_rows_that_are_asked_for_come_however_many_bytes_they_are() -> None:
    async with Runtime(load()) as runtime:
        for n in range(25):
            await _call(runtime, "buy_limit", **{**BUY, "price": 50000 + n})
        answer = await _call(runtime, "list_tickets", since="today", count=25)

    assert len(_rows(answer)) == 25
    assert "cut" not in answer.structured


async def test_a_stretch_of_time_ends_where_it_says(stepped_clock: "SteppedClock") -> None:
    async with Runtime(load(), seams=stepped_clock.seams) as runtime:
        await _call(runtime, "buy_limit", **BUY)
        stepped_clock.pushed = 86_400
        late = await _call(runtime, "buy_limit", **{**BUY, "price": 50001})
        today = _rows(await _call(runtime, "list_tickets", since="today"))
        yesterday = _rows(await _call(runtime, "list_tickets", since="yesterday"))
        both = _rows(await _call(runtime, "list_tickets", since="7d", timezone="America/Havana"))

    assert [row["id"] for row in today] == [late.structured["ticket"]["id"]]
    assert len(yesterday) == 1
    assert len(both) == 2


async def test_a_time_that_nobody_knows_is_refused_with_examples() -> None:
    async with Runtime(load()) as runtime:
        answer = await _call(runtime, "list_tickets", since="once upon a time")

    assert answer.error["code"] == "invalid_arguments"
    assert "today" in answer.text


async def test_a_raw_read_says_which_orders_were_placed_here_and_who_approved_them(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    key = "binance/USDT-BTC"
    live_gunbot.place("/trade/buy/market", exch="binance", pair="USDT-BTC", amt=0.002)
    async with Runtime(live_settings()) as runtime:
        unopened = await _call(runtime, "list_orders", key=key)
        proposed = await _call(runtime, "buy_market", exchange="binance", pair="USDT-BTC", amount=0.001)
        ticket = await (await runtime.desk()).approve(proposed.structured["ticket"]["id"], by=TERMINAL)
        answer = await _call(runtime, "list_orders", key=key)
        both = await _call(runtime, "list_orders_page_multi", keys=[key, "binance/USDT-ETH"], page=0, page_size=10)

    assert "Placed" not in unopened.text
    assert ticket.observed is not None
    [(order_id, words)] = answer.structured["placed_here"].items()
    assert order_id == ticket.observed.order_ids[0]
    assert words.startswith(f"ticket {ticket.id}, claude, approved by terminal 20")
    assert answer.text.endswith(f"{order_id}: {words}; all others are Gunbot's own")
    assert len(answer.structured["rows"]) == 2
    assert both.structured["placed_here"] == answer.structured["placed_here"]
