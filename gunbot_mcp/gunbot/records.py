"""What Gunbot's reads say, parsed tolerantly: numbers may be strings or null, fields may be new, nothing is lost.

Gunbot is JavaScript: its numbers are IEEE doubles, so reading them as `float` and writing the shortest text keeps
every digit. Where a number arrives as text, it becomes a number only if no digit is lost by it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Any, cast

from gunbot_mcp.domain import Side, to_decimal
from gunbot_mcp.errors import GatewayInvalidResponse, clean

Record = dict[str, Any]

RECORD_FIELDS = (
    "time",
    "pair",
    "type",
    "rate",
    "amount",
    "id",
    "cost",
    "toCancel",
    "fees",
    "baseValue",
    "costProceed",
    "averagePrice",
    "pnlPrice",
    "balance",
    "baseBalance",
    "inventory_cost",
    "ABP",
    "pnl",
)
"""The eighteen documented fields of an order record, in the order of the page's samples."""

_NUMBER_FIELDS = frozenset(RECORD_FIELDS) - {"pair", "type", "id", "toCancel"}
_STOP_WORDS = (
    *("stop", "trail", "oco", "trigger", "contingen", "group", "tpsl", "conditional", "reduce", "close", "exit"),
    *("profit", "parent", "linked", "orderlist", "algo", "bracket", "attach", "touch"),
)
_HARMLESS = frozenset(
    # What plain orders have, by the names of Gunbot, of the exchanges and of the libraries between them.
    (
        *("id", "orderid", "orderuuid", "clientorderid", "symbol", "pair", "market", "exchange", "currency"),
        *("type", "side", "ordertype", "kind", "timeinforce", "postonly", "selftradepreventionmode"),
        *("rate", "price", "average", "avgprice", "averageprice", "cost", "fee", "fees"),
        *("amount", "quantity", "amt", "qty", "origqty", "executedqty", "filled", "remaining"),
        *("cummulativequoteqty", "origquoteorderqty", "status", "state", "isworking", "info", "trades"),
        *("time", "timestamp", "datetime", "date", "updatetime", "workingtime", "createdat", "updatedat"),
        *("lasttradetimestamp", "lastupdatetimestamp"),
    )
)
_KIND = re.compile(r"[a-z][a-z_-]{0,23}")


Level = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Table:
    """Records as a table, with the field names given once. A field that a record lacks is `None` in its row."""

    columns: list[str]
    rows: list[list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """An order book, prices in the paying asset; `None` where a side is empty.

    `bids` and `asks` are its levels (price, amount), best first; empty where only the top is known.
    """

    bid: Decimal | None
    ask: Decimal | None
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()

    @property
    def bid_amount(self) -> Decimal | None:
        return self.bids[0][1] if self.bids else None

    @property
    def ask_amount(self) -> Decimal | None:
        return self.asks[0][1] if self.asks else None

    @property
    def crossed(self) -> bool:
        """Whether somebody would pay more than somebody else asks: such a market cannot be relied on."""
        return self.bid is not None and self.ask is not None and self.bid > self.ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    exchange: str
    asset: str
    available: Decimal | None
    on_order: Decimal | None
    others: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """One resting order as Gunbot's core memory shows it; `raw` keeps every field of it."""

    id: str
    exchange: str
    pair: str
    side: Side | None
    order_type: str
    kind: str
    price: Decimal | None
    amount: Decimal | None
    raw: Mapping[str, Any]

    @property
    def plain(self) -> bool:
        """Return True only if nothing in the record hints at a stop, a trail, a linked order or an exit."""
        return _is_plain(self.raw, self.side)


def record_list(body: Mapping[str, Any]) -> list[Record]:
    """Return `body["data"]`.

    Raises:
        GatewayInvalidResponse: it is not a list of objects.
    """
    data = body.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in cast("list[Any]", data)):
        raise GatewayInvalidResponse(
            "Gunbot's answer has no list of orders in `data`", "check that the url is Gunbot's"
        )
    return cast("list[Record]", data)


def to_table(records: Sequence[Mapping[str, Any]], fields: Sequence[str] | None = None) -> Table:
    """Return the records as a table: all fields in the order in which they first appear, or just `fields`."""
    columns = list(fields) if fields else list(dict.fromkeys(chain.from_iterable(records)))
    rows = [list(map(record.get, columns)) for record in records]
    for index, (name, cells) in enumerate(zip(columns, zip(*rows, strict=True), strict=False)):
        # Almost always nothing to do; looking costs one pass per column, not a call per cell.
        if name in _NUMBER_FIELDS and str in set(map(type, cells)):
            for row in rows:
                row[index] = _number_from_text(row[index])
    return Table(columns, rows)


def _number_from_text(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    number = to_decimal(value) if isinstance(value, str) else None
    if number is None:
        return value
    if number == number.to_integral_value() and "." not in value and "e" not in value.lower():
        return int(number)
    return float(number) if Decimal(repr(float(number))) == number else value


def book(body: Mapping[str, Any]) -> Book:
    """Return the book of `{"data": {"ask": [[price, amount]…], "bid": […]}}`, whatever the levels' order.

    Raises:
        GatewayInvalidResponse: there is no book in the answer.
    """
    data = body.get("data")
    if not isinstance(data, dict):
        raise GatewayInvalidResponse("Gunbot's answer has no order book", "the pair must be active in Gunbot")
    sides = cast("dict[str, Any]", data)
    bids = tuple(sorted(_levels(sides.get("bid")), reverse=True))
    asks = tuple(sorted(_levels(sides.get("ask"))))
    return Book(bid=bids[0][0] if bids else None, ask=asks[0][0] if asks else None, bids=bids, asks=asks)


def _levels(side: object) -> list[Level]:
    """Return the levels at which something can be traded: a price without an amount is not a level."""
    levels: list[Level] = []
    for level in cast("list[Any]", side) if isinstance(side, list) else []:
        if isinstance(level, list) and len(cast("list[Any]", level)) >= 2:  # noqa: PLR2004 - price, amount
            price, amount = (to_decimal(part) for part in cast("list[Any]", level)[:2])
            if price is not None and price > 0 and amount is not None and amount > 0:
                levels.append((price, amount))
    return levels


_BALANCE_FIELDS = frozenset({"Exchange", "Asset", "Available Qty", "On Order"})


def balances(body: object) -> list[Balance]:
    """Return `[{"Asset", "Exchange", "Available Qty", "On Order"}]`, amounts as Decimals, other fields as they are.

    Raises:
        GatewayInvalidResponse: the answer is not a list of objects.
    """
    if not isinstance(body, list) or not all(isinstance(item, dict) for item in cast("list[Any]", body)):
        raise GatewayInvalidResponse("Gunbot's answer has no list of balances", "check that the url is Gunbot's")
    return [
        Balance(
            exchange=str(item.get("Exchange") or ""),
            asset=str(item.get("Asset") or ""),
            available=to_decimal(item.get("Available Qty")),
            on_order=to_decimal(item.get("On Order")),
            others={name: value for name, value in item.items() if name not in _BALANCE_FIELDS},
        )
        for item in cast("list[dict[str, Any]]", body)
    ]


def open_orders(body: Mapping[str, Any], key: str) -> list[OpenOrder] | None:
    """Return `memory[key].openOrders` of a core-memory answer; None where it is absent or null: not populated yet.

    Then its lack of open orders says nothing.

    Raises:
        GatewayInvalidResponse: `openOrders` is there but is not a list of objects.
    """
    pair = memory_of(body, key)
    return _orders_of(pair, key) if pair else None


def memory_of(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a pair's own memory, whole; empty where the answer does not hold it."""
    memory = _members(body.get("memory", body))
    # A flat answer is the pair's own memory only if it says so: any other object is not.
    return _members(memory.get(key, memory if "openOrders" in memory else None))


def all_open_orders(body: Mapping[str, Any]) -> list[OpenOrder]:
    """Return the open orders of every `exchange/pair` in a core-memory answer.

    Raises:
        GatewayInvalidResponse: there is no core memory in the answer, or its `openOrders` are not lists of objects.
    """
    memory = _members(body.get("memory", body))
    pairs = {key: _members(pair) for key, pair in memory.items() if "/" in key}
    if not pairs and not isinstance(body.get("memory"), dict):
        raise GatewayInvalidResponse("Gunbot's answer has no core memory", "check that the url is Gunbot's")
    return [order for key, pair in pairs.items() for order in _orders_of(pair, key) or ()]


def _members(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _orders_of(memory: Mapping[str, Any], key: str) -> list[OpenOrder] | None:
    items = memory.get("openOrders")
    if items is None:
        # The vendor's own files stop until it is an array: until then it says nothing, not even "none".
        return None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in cast("list[Any]", items)):
        raise GatewayInvalidResponse(
            "Gunbot's open orders are not a list", "this version of Gunbot answers differently"
        )
    exchange, _, pair = key.partition("/")
    return [_open_order(item, exchange, pair) for item in cast("list[dict[str, Any]]", items)]


def _open_order(raw: dict[str, Any], exchange: str, pair: str) -> OpenOrder:
    side = next((Side(text) for text in _texts(raw, "type", "side") if text in set(Side)), None)
    kind = next(iter(_texts(raw, "kind", "orderType", "order_type")), "limit")
    # All of these become part of sentences that a human reads before deciding, so Gunbot's texts are cleaned.
    return OpenOrder(
        id=clean(_first(raw, "id", "orderId", "orderid", "OrderUuid") or "", 64),
        exchange=exchange,
        pair=clean(raw.get("pair") or pair, 64),
        side=side,
        order_type="market" if "market" in _texts(raw, "orderType", "order_type") else "limit",
        kind=kind if _KIND.fullmatch(kind) else "unusual",
        price=to_decimal(_first(raw, "rate", "price", "limitPrice", "stopPrice")),
        amount=to_decimal(_first(raw, "amount", "quantity", "amt", "origQty")),
        raw=raw,
    )


def _is_plain(raw: Mapping[str, Any], side: Side | None) -> bool:
    """Return whether everything that a record says, however deep, is what a plain order of this side says.

    An unknown value may be a stop, a linked leg or an exit by another name, so it is not plain.
    """
    return all(_says_nothing(value) or _harmless(name, value, side) for name, value in raw.items())


def _harmless(name: str, value: object, side: Side | None) -> bool:
    key = name.lower().replace("_", "")
    if key not in _HARMLESS:
        return False
    if isinstance(value, dict):
        return _is_plain(cast("dict[str, Any]", value), side)
    if isinstance(value, list):
        return all(_harmless(name, item, side) for item in cast("list[Any]", value))
    if not isinstance(value, str) or key in {"id", "pair", "symbol"}:
        return True
    text = value.lower()
    if key in {"side", "type"} and text in _SIDES:
        return side is not None and text == side.value
    return text != "tp" and not any(word in text for word in _STOP_WORDS)


_SIDES = frozenset(side.value for side in Side)


def _says_nothing(value: object) -> bool:
    """Return whether a field is empty, in any of the ways that exchanges use; Binance writes -1 for no list."""
    if value is None or value is False or value in ("", [], {}):
        return True
    if isinstance(value, int | float):
        return value in {0, -1} and value is not True
    # A text that does not begin like a number is not one, and most do not.
    return isinstance(value, str) and value.strip()[:1] in _NUMERIC and to_decimal(value) in _NOTHING


_NUMERIC = frozenset("+-.0123456789")
_NOTHING = frozenset({Decimal(0), Decimal(-1)})


def _first(raw: Mapping[str, Any], *names: str) -> Any:  # noqa: ANN401 - any JSON value
    return next((raw[name] for name in names if raw.get(name) is not None), None)


def _texts(raw: Mapping[str, Any], *names: str) -> Iterable[str]:
    return [str(raw[name]).strip().lower() for name in names if isinstance(raw.get(name), str)]
