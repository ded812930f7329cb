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

from gunbot_mcp.domain import MOST_EXACT, Side, is_order_id, to_decimal
from gunbot_mcp.errors import GatewayInvalidResponse, clean
from gunbot_mcp.gunbot.holding import PairState, pair_state
from gunbot_mcp.gunbot.ids import exact, is_id

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

NUMBER_FIELDS = frozenset(RECORD_FIELDS) - {"pair", "type", "id", "toCancel"}
_STOP_WORDS = (
    *("stop", "trail", "oco", "trigger", "contingen", "group", "tpsl", "conditional", "reduce", "close", "exit"),
    *("profit", "parent", "linked", "orderlist", "algo", "bracket", "attach", "touch"),
)
_HARMLESS = frozenset(
    # What plain orders have, by the names of Gunbot, of the exchanges and of the libraries between them.
    (
        *("id", "orderid", "ordid", "uuid", "orderuuid", "clientorderid"),
        *("symbol", "pair", "market", "exchange", "currency"),
        *("type", "side", "ordertype", "kind", "timeinforce", "postonly", "selftradepreventionmode"),
        *("rate", "price", "average", "avgprice", "averageprice", "cost", "fee", "fees"),
        *("amount", "quantity", "amt", "qty", "origqty", "executedqty", "filled", "remaining"),
        *("cummulativequoteqty", "origquoteorderqty", "status", "state", "isworking", "info", "trades"),
        *("time", "timestamp", "datetime", "date", "updatetime", "workingtime", "createdat", "updatedat"),
        *("lasttradetimestamp", "lastupdatetimestamp"),
    )
)
_ID_NAMES = ("id", "orderId", "orderID", "orderid", "order_id", "ordId", "OrderUuid", "orderUuid", "uuid")
_KIND_NAMES = ("kind", "orderType", "order_type")
_SHOWN: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_ID_NAMES, ("id",)),
    **dict.fromkeys(("type", "side"), ("side",)),
    **dict.fromkeys(_KIND_NAMES, ("stated_kind", "order_type")),
    **dict.fromkeys(("rate", "price"), ("price",)),
    **dict.fromkeys(("amount", "quantity"), ("amount",)),
}
"""By the record's own names, which of an `OpenOrder`'s fields may say the same."""
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
    def stated_kind(self) -> str | None:
        """The kind, if the record says one; where it says none, `kind` is what such orders usually are."""
        return self.kind if any(True for _ in _texts(self.raw, *_KIND_NAMES)) else None

    def says(self, name: str) -> bool:
        """Return whether our own fields already say what this field of the record does."""
        value = self.raw.get(name)
        if value is None:
            return True
        text = str(value) if name in _ID_NAMES else str(value).strip().lower()
        for shown in _SHOWN.get(name, ()):
            found: object = getattr(self, shown)
            if found is not None and (found == to_decimal(value) if isinstance(found, Decimal) else str(found) == text):
                return True
        return name in {"pair", "exchange"} and value == getattr(self, name)

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
        kinds = set(map(type, cells))
        if name in NUMBER_FIELDS and str in kinds:
            for row in rows:
                row[index] = _number_from_text(row[index])
        elif _may_lose_digits(name, cells, kinds):
            for row in rows:
                row[index] = exact(name, row[index])
    return Table(columns, rows)


def _may_lose_digits(name: str, cells: Sequence[Any], kinds: set[type]) -> bool:
    if kinds & {dict, list}:
        return True
    return int in kinds and (is_id(name) or any(type(cell) is int and abs(cell) > MOST_EXACT for cell in cells))


def _number_from_text(value: object) -> object:
    if not isinstance(value, str) or (number := to_decimal(value)) is None:
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
        match level:
            case [first, second, *_]:
                price, amount = to_decimal(first), to_decimal(second)
                if price is not None and price > 0 and amount is not None and amount > 0:
                    levels.append((price, amount))
            case _:
                continue
    return levels


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """The open orders of all pairs. `unknown`: keys whose orders Gunbot does not show yet; `unreadable`: or not all.

    `keys` are all pairs that the memory or its config has, with and without orders: those that cycle. `states`: what
    the memory tells of each pair.
    """

    orders: tuple[OpenOrder, ...]
    unknown: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    states: Mapping[str, PairState] = field(default_factory=dict[str, PairState])


def all_open_orders(body: Mapping[str, Any]) -> Resting:
    """Return the open orders of every `exchange/pair` in a core-memory answer; one bad pair does not hide the others.

    Raises:
        GatewayInvalidResponse: there is no core memory in the answer.
    """
    memory = _members(body.get("memory", body))
    pairs = {key: _members(pair) for key, pair in memory.items() if "/" in key}
    if not pairs and not isinstance(body.get("memory"), dict):
        raise GatewayInvalidResponse("Gunbot's answer has no core memory", "check that the url is Gunbot's")
    orders: list[OpenOrder] = []
    unknown, unreadable = list[str](), list[str]()
    for key, found in pairs.items():
        items = _items(found.get("openOrders"))
        if items is None:
            (unknown if found.get("openOrders") is None else unreadable).append(key)
            continue
        exchange, _, pair = key.partition("/")
        good = [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
        orders += [_open_order(item, exchange, pair) for item in good]
        if len(good) < len(items):
            unreadable.append(key)
    configured = _members(body.get("config")).items()
    keys = {*pairs, *(f"{exchange}/{pair}" for exchange, theirs in configured for pair in _members(theirs))}
    return Resting(
        orders=tuple(orders),
        unknown=tuple(unknown),
        unreadable=tuple(unreadable),
        keys=tuple(sorted(keys)),
        states={key: pair_state(found) for key, found in pairs.items()},
    )


def _items(found: object) -> list[Any] | None:
    """Return the entries of `openOrders`, a list or an object; None where it is neither."""
    if isinstance(found, dict):
        return list(cast("dict[str, Any]", found).values())
    return cast("list[Any]", found) if isinstance(found, list) else None


def enabled_pairs(body: Mapping[str, Any], exchange: str) -> dict[str, bool | None] | None:
    """Return which pairs of an exchange are configured in Gunbot, and whether each is enabled (None: not said).

    None where the answer has no `config`. That also holds each pair's strategy and overrides: they are left there.
    """
    found = configured(body)
    return None if found is None else found.get(exchange, {})


def configured(body: Mapping[str, Any]) -> dict[str, dict[str, bool | None]] | None:
    """Return the same of every exchange."""
    if not isinstance(body.get("config"), dict):
        return None
    return {
        exchange: {name: _yes_or_no(_members(pair).get("enabled")) for name, pair in _members(pairs).items()}
        for exchange, pairs in _members(body["config"]).items()
    }


def _yes_or_no(value: object) -> bool | None:
    text = str(value).strip().lower()
    return True if text in {"true", "1", "1.0"} else False if text in {"false", "0", "0.0"} else None


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


def order_id(raw: Mapping[str, Any]) -> str:
    """Return an open order's id as text, exactly as Gunbot writes it; "" where there is none that can be one."""
    found = _first(raw, *_ID_NAMES)
    text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
    return text if is_order_id(text) else ""


def _open_order(raw: dict[str, Any], exchange: str, pair: str) -> OpenOrder:
    side = next((Side(text) for text in _texts(raw, "type", "side") if text in set(Side)), None)
    kind = next(iter(_texts(raw, *_KIND_NAMES)), "limit")
    # All of these become part of sentences that a human reads before deciding, so Gunbot's texts are cleaned.
    return OpenOrder(
        id=order_id(raw),
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


def _first(raw: Mapping[str, Any], *names: str) -> object:
    return next((raw[name] for name in names if raw.get(name) is not None), None)


def _texts(raw: Mapping[str, Any], *names: str) -> Iterable[str]:
    return [str(raw[name]).strip().lower() for name in names if isinstance(raw.get(name), str)]
