"""What the exchange cut is still what it was: a stop or a linked leg whose digits came back fewer is no plain entry.

Gunbot cuts amounts and prices to the exchange's steps and shows stops, trailing stops and legs as plain orders. So
neither looks nor digits tell what an order protects: only the cancel of an order that this server itself placed as a
plain entry, and found again for certain, goes without a human.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from security.hostile import Era, Model, Tally, hostile, nothing_leaked, sent_only

from gunbot_mcp.config import Settings
from gunbot_mcp.tickets.channels import TERMINAL

if TYPE_CHECKING:
    from support.recorder import Recorder

MakeSettings = Callable[..., Settings]
pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BOTH_ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])

PLACE = {"exchange": "binance", "pair": "USDT-BTC"}
SHOWN: dict[str, Any] = {"id": "7001", "pair": "USDT-BTC", "type": "buy"}


def shown(rate: object, amount: object, **fields: object) -> dict[str, Any]:
    return {**SHOWN, "rate": rate, "amount": amount, **fields}


Sent = tuple[str, dict[str, Any], tuple[dict[str, Any], ...]]
CUT: dict[str, Sent] = {
    "a stop's amount": (
        "buy_stop_limit",
        {"amount": 0.0010204, "stop_price": 50500, "limit_price": 50600},
        (shown(50600, 0.00102),),
    ),
    "a stop's amount, as text": (
        "buy_stop_limit",
        {"amount": 0.0010204, "stop_price": 50500, "limit_price": 50600},
        (shown("50600", "0.00102000"),),
    ),
    "a stop's amount to one digit": (
        "buy_stop_limit",
        {"amount": 0.0019, "stop_price": 50500, "limit_price": 50600},
        (shown(50600, 0.001),),
    ),
    "a stop's prices": (
        "buy_stop_limit",
        {"amount": 0.001, "stop_price": 50500.129, "limit_price": 50600.129},
        (shown(50600.12, 0.001),),
    ),
    "a stop that lies below the market by now": (
        "buy_stop_limit",
        {"amount": 0.0010204, "stop_price": 50500, "limit_price": 49000},
        (shown(49000, 0.00102),),
    ),
    "a leg's amount": (
        "buy_oco",
        {"amount": 0.0010204, "price": 49000, "stop_price": 50500, "limit_price": 50600},
        (shown(49000, 0.00102), shown(50600, 0.00102, id="7002")),
    ),
    "a leg's amount, and the other leg is not shown": (
        "buy_oco",
        {"amount": 0.0010204, "price": 49000, "stop_price": 50500, "limit_price": 50600},
        (shown(49000, 0.00102),),
    ),
    "a leg's amount and price": (
        "buy_oco",
        {"amount": 0.0010204, "price": 49000.129, "stop_price": 50500.5, "limit_price": 50600.129},
        (shown(49000.12, 0.00102), shown(50600.12, 0.00102, id="7002")),
    ),
    "a trailing stop's amount": (
        "buy_trailing_stop",
        {"amount": 0.0010204, "price": 50000, "stop_price": 50500},
        (shown(50500, 0.00102),),
    ),
    "a trailing stop's amount, trailed down": (
        "buy_trailing_stop",
        {"amount": 0.0010204, "price": 50000, "stop_price": 50500},
        (shown(48500, 0.00102),),
    ),
}
"""What a human approved, and how the exchange then shows it: as plain entries with fewer digits."""
STRANGERS: tuple[dict[str, Any], ...] = (
    shown(49000, 0.001),
    shown(49000, 0.00102),
    shown("49000.00", "0.001"),
    shown(48000, 0.5),
    shown(49000, 0.001, info={"type": "LIMIT"}),
)
"""Plain buys that this server did not place: Gunbot's own strategy, a human, another server. Any may be a stop."""


async def went(model: Model, order: dict[str, Any]) -> bool:
    """Cancel the order as it is shown, and return whether it went without a human."""
    named = {**PLACE, "order_id": order["id"], "price": float(order["rate"]), "order_type": "limit"}
    return (await model.call("cancel_order", named)).get("status") == "accepted"


def none_went(gone: list[object], recorder: "Recorder", tally: Tally, approved: int) -> None:
    tally.unapproved = max(tally.unapproved, len(recorder.trades) - approved)
    assert gone == []
    sent_only(approved, recorder, tally)
    assert "internal" not in tally.codes
    nothing_leaked(tally)


@pytest.mark.parametrize("found", ["shown at once", "shown later", "partly filled"])
@pytest.mark.parametrize("sent", CUT.values(), ids=list(CUT))
async def test_a_stop_or_leg_that_the_exchange_cut(
    sent: Sent, found: str, behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    tool, arguments, legs = sent
    at_once = () if found == "shown later" else legs
    recorder.show()
    recorder.when(f"/trade/{tool.replace('_', '/', 1).replace('_', '')}", lambda: recorder.show(*at_once))
    async with hostile(behind(), "legacy", tally) as (runtime, model):
        proposed = await model.call(tool, {**PLACE, **arguments})
        await (await runtime.desk()).approve(proposed["ticket"]["id"], by=TERMINAL)
        recorder.show(*legs)
        gone: list[object] = [leg for leg in legs if await went(model, leg)]
        await model.call("get_ticket", {"ticket_id": proposed["ticket"]["id"]})
        gone += [leg for leg in legs if await went(model, leg)]
    # Another process, later: it knows what the ledger knows.
    left = {"amount": 0.0004} if found == "partly filled" else {}
    recorder.show(*({**leg, **left} for leg in legs))
    async with hostile(behind(), "auto", tally) as (_, model):
        gone += [leg for leg in legs if await went(model, leg)]
    none_went(gone, recorder, tally, approved=1)


@BOTH_ERAS
async def test_a_plain_order_that_this_server_did_not_place(
    era: Era, behind: MakeSettings, recorder: "Recorder", tally: Tally
) -> None:
    gone: list[object] = []
    async with hostile(behind(), era, tally) as (_, model):
        for order in STRANGERS:
            recorder.show(order)
            if await went(model, order):
                gone.append(order)
    none_went(gone, recorder, tally, approved=0)
