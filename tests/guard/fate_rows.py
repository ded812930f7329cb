"""How a row of the fates is written: an order that went out, what Gunbot then shows, and what may be said of it."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from support.shown import Fill, Show, resting

Look = tuple[Show, str]

D = Decimal
CUT = {"amount": D("0.0010204"), "price": D("49000.123")}
MARKET = {"price": None}
OCO = {"stop_price": D(52_000), "limit_price": D(52_100)}
STOP = {"price": None, "stop_price": D(51_000), "limit_price": D(51_100)}
TRAIL = {"price": D(50_000), "stop_price": D(50_500)}
CANCEL = {"amount": None, "order_id": "77", "price": D("49000.1"), "order_type": "limit"}
GRID = [Fill(str(n), at=-50 * n) for n in range(1, 5)]
LINKED = Fill("5", at=-100, amount=0.3)
"""An older record of an order that stood among the open ones of the baseline: on this key, ids link."""
OPEN5 = resting("5", amount=0.3)

NOTHING = "unknown nothing"
OPEN = "accepted match open_orders open 77"
FILLED = "accepted match history filled 77 0.001@49000.1"
CANDIDATE = "unknown candidate open_orders open 77"


@dataclass(frozen=True)
class Row:
    """`says` are the looks in turn, with what may be said after each; `never` are words that must not come up."""

    name: str
    says: tuple[Look, ...]
    tool: str = "buy_limit"
    sent: dict[str, Any] = field(default_factory=dict[str, Any])
    before: Show = field(default_factory=Show)
    post: str = "lost"
    timed: bool = True
    never: tuple[str, ...] = ()


def row(name: str, *says: Look, **more: Any) -> Row:  # noqa: ANN401 - any field
    return Row(name, says, **more)


def show(*orders: dict[str, Any], **more: Any) -> Show:  # noqa: ANN401 - any field
    return Show(orders=list(orders), **more)


def fills(*records: Fill, **more: Any) -> Show:  # noqa: ANN401 - any field
    return Show(orders=[], fills=records, **more)


def market(name: str, *says: Look, **more: Any) -> Row:  # noqa: ANN401 - any field
    return Row(name, says, tool="buy_market", sent=MARKET, **more)


def cancel(name: str, *says: Look, **more: object) -> Row:
    fields: dict[str, Any] = {"before": show(resting(), OPEN5), **more}
    return Row(name, says, tool="cancel_order", sent=CANCEL, **fields)


BOUGHT: dict[str, Any] = {"rate": 50000.51}
AT_ASK = "accepted match history filled 77 0.001@50000.51"
