"""What each request does to the accounts and what it answers: the layer between the wire and the data.

Every method is one transaction. It first walks the resting orders along the prices from the last instant to now, so
that they have filled when they would have; then it does its own work. Time never goes back: an instant earlier than the
last one written counts as that one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import gcd
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gunbot_mcp.domain import Cancel, Close, Intent, Leg, Place, Side, decimal_text, side_of
from gunbot_mcp.errors import clean
from gunbot_mcp.paper import engine
from gunbot_mcp.paper.accounts import Holdings, abp, add, as_double, cost_of, opens, reserve, settle, subtract
from gunbot_mcp.paper.data import PaperData
from gunbot_mcp.paper.engine import Fill, LegState, Order
from gunbot_mcp.paper.histories import load_orders
from gunbot_mcp.paper.market import MAX_PRICE, Line, Scale
from gunbot_mcp.paper.pairs import LISTINGS, Listing, listings_of
from gunbot_mcp.paper.transaction import PaperTransaction

MAX_OPEN_ORDERS = 200
_SLEPT = 60_000


class Rejected(Exception):
    """The gateway refuses; the message is for the caller, and nothing has changed."""


@dataclass(slots=True)
class _Session:
    """One transaction's view: its instant, and every line as it stands. `changed` once an open order has changed."""

    tx: PaperTransaction
    now: int
    scales: Mapping[str, Scale]
    line_of: Callable[[Listing, Scale | None], Line]
    changed: bool = False

    def line(self, listing: Listing) -> Line:
        return self.line_of(listing, self.scales.get(listing.symbol))

    def available(self, exchange: str, asset: str, *, without: Order | None = None) -> Decimal:
        """Return what may be spent of an asset; what the open order `without` reserves counts as free."""
        balance = self.tx.balance(exchange, asset)
        free = subtract(balance.total, balance.reserved)
        if without is not None:
            theirs, amount = self.tx.reserved_by(without)
            return add(free, amount) if theirs == asset else free
        return free


@dataclass(frozen=True, slots=True)
class _Resting:
    """The open orders of one key, for the engine. An order that fills is dropped once the fill is booked."""

    session: _Session
    key: str

    def quiet(self) -> tuple[Decimal, Decimal] | None:
        return self.session.tx.quiet(self.key)

    def touched(self, price: Decimal) -> list[Order]:
        return self.session.tx.orders_touched(self.key, price)

    def put(self, order: Order) -> None:
        asset, needs = reserve(order, LISTINGS[order.key])  # a trail that opens a short needs more as the price rises
        covered = needs <= self.session.available(order.exchange, asset, without=order)
        (self.session.tx.put_order if covered else self.session.tx.drop_order)(order)
        self.session.changed = True

    def remove(self, order: Order) -> None:
        self.session.tx.put_to_sleep(order)


class Simulator:
    """The accounts, the market and the clock of one paper gateway. Methods block, and may be called from any thread."""

    def __init__(self, folder: Path | None, *, seed: int | None, market: str, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._data = PaperData(folder, seed=seed, market=market, now=self._millis())

    def load_orders(self, file: Path) -> int:
        return load_orders(self._data, file)

    def close(self) -> None:
        self._data.close()

    def now(self) -> int:
        """Return epoch milliseconds by the gateway's clock."""
        return self._millis()

    # -- orders ----------------------------------------------------------------------------------------------------

    def trade(self, intent: Intent) -> None:
        """Place, close or cancel.

        Raises:
            Rejected: unknown pair or order, not enough balance, too many open orders. Nothing has changed.
        """
        listing = _listing(intent.exchange, intent.pair)
        with self._data.transaction() as tx:
            session = self._advance(tx)
            if isinstance(intent, Cancel):
                tx.drop_order(_find(session, intent))
            else:
                self._place(session, listing, intent)
            tx.set_meta("advanced", session.now)

    def move_price(self, exchange: str, pair: str, price: Decimal) -> None:
        """Set the last price of a pair (and of the pairs that share its market) and apply it to every order there."""
        listing = _listing(exchange, pair)
        with self._data.transaction() as tx:
            session = self._advance(tx)
            line = session.line(listing)
            rounded = line.on_tick(price) if price <= MAX_PRICE else Decimal(0)
            if rounded <= 0:
                raise Rejected(f"price must be from {decimal_text(listing.tick)} to {decimal_text(MAX_PRICE)}")
            level = Decimal(repr(line.curve.level(session.now - line.opened)))
            tx.set_scale(listing.symbol, Scale(rounded, level))
            session.scales = tx.scales()
            fills: list[Fill] = []
            for theirs in LISTINGS.values():
                if theirs.symbol == listing.symbol:
                    quote = session.line(theirs).quote(session.now)
                    fills += engine.meet(_Resting(session, theirs.key), quote, session.now)
            self._book(session, fills)
            tx.set_meta("advanced", session.now)

    def _place(self, session: _Session, listing: Listing, intent: Place | Close) -> None:
        order = self._order(session, listing, intent)
        if not opens(listing, order.side):
            have = session.available(listing.exchange, listing.holding)
            if order.amount > have:
                what = "open position" if listing.hedge else "balance"
                raise Rejected(f"Insufficient {what}: {decimal_text(have)} {listing.holding} available")
        outcome = engine.place(order, session.line(listing).quote(session.now), session.now)
        if isinstance(outcome, Fill):
            if not self._settle(session, outcome):
                raise Rejected(_short_of(session, listing, cost_of(outcome.rate, order.amount)))
            return
        asset, amount = reserve(outcome, listing)
        if amount > session.available(listing.exchange, asset):
            raise Rejected(_short_of(session, listing, amount))
        if session.tx.has_orders(order.exchange, at_least=MAX_OPEN_ORDERS):
            raise Rejected(f"too many open orders on {order.exchange}: at most {MAX_OPEN_ORDERS}")
        session.tx.put_order(outcome)

    def _order(self, session: _Session, listing: Listing, intent: Place | Close) -> Order:
        closing = isinstance(intent, Close)
        if closing and not listing.hedge:
            raise Rejected(f"{listing.name} is not a futures position; close works on pairs ending in -LONG or -SHORT")
        n = session.tx.number("placed") + 1
        first = session.tx.number("legs")
        legs = (intent.leg,) if isinstance(intent, Close) else intent.legs
        session.tx.set_meta("placed", n)
        session.tx.set_meta("legs", first + len(legs))
        reference = None if isinstance(intent, Close) else intent.reference
        return Order(
            n=n,
            exchange=listing.exchange,
            pair=listing.name,
            side=side_of(intent),
            amount=as_double(intent.amount),
            legs=tuple(
                LegState(id=order_id(self._data.opening.seed, first + i), leg=_doubles(leg))
                for i, leg in enumerate(legs)
            ),
            placed=session.now,
            closing=closing,
            reference=None if reference is None else as_double(reference),
        )

    # -- time ------------------------------------------------------------------------------------------------------

    def _advance(self, tx: PaperTransaction) -> _Session:
        last = tx.number("advanced")
        session = _Session(
            tx=tx,
            now=max(self._millis(), last),
            scales=tx.scales(),
            line_of=lambda listing, scale: self._data.market.line(listing, self._data.opening.opened, scale),
        )
        fills, keys = list[Fill](), list(tx.keys_with_orders())
        for key in keys:
            fills += engine.advance(_Resting(session, key), session.line(LISTINGS[key]), last, session.now)
        self._book(session, fills)
        # A changed order must not be walked again from an earlier instant: it would meet prices from before its change.
        if session.changed or (keys and session.now - last > _SLEPT):
            tx.set_meta("advanced", session.now)
        return session

    def _book(self, session: _Session, fills: list[Fill]) -> None:
        """Settle fills of resting orders, oldest first. If the money is gone by then, the order is cancelled."""
        for fill in sorted(fills, key=lambda one: (one.at, one.order.n)):
            self._settle(session, fill)
            session.tx.drop_order(fill.order)
            session.changed = True

    def _settle(self, session: _Session, fill: Fill) -> bool:
        listing = LISTINGS[fill.order.key]
        exchange = listing.exchange
        tx = session.tx
        holdings = Holdings(
            paying=tx.balance(exchange, listing.paying).total,
            held=tx.balance(exchange, listing.holding).total,
            spendable=session.available(exchange, listing.paying, without=fill.order),
            inventory=tx.inventory(listing.key),
            oldest=tx.oldest_lots(listing.key),
            cheapest=tx.cheapest_lots(listing.key),
            newest=tx.newest_lot(listing.key),
        )
        settled = settle(fill, listing, holdings)
        if settled is None:
            return False
        for asset, amount in ((listing.paying, settled.paying), (listing.holding, settled.held)):
            tx.set_balance(exchange, asset, amount)
        tx.set_lots(listing.key, settled.lots, settled.inventory)
        tx.add_record(listing.key, settled.record)
        return True

    def _millis(self) -> int:
        return round(self._clock().timestamp() * 1000)

    # -- reads -----------------------------------------------------------------------------------------------------

    def balances(self) -> list[dict[str, str]]:
        """Return every asset of every account as Gunbot writes them; positions are not assets and are not here."""
        with self._data.transaction() as tx:
            self._advance(tx)
            positions = {(listing.exchange, listing.name) for listing in LISTINGS.values() if listing.hedge}
            return [
                {
                    "Asset": asset,
                    "Exchange": exchange,
                    "Available Qty": decimal_text(subtract(balance.total, balance.reserved)),
                    "On Order": decimal_text(balance.reserved),
                }
                for (exchange, asset), balance in tx.balances().items()
                if (exchange, asset) not in positions
            ]

    def pairs(self, exchange: str) -> list[str]:
        names = [listing.name for listing in listings_of(exchange)]
        if not names:
            raise Rejected(f"Unknown exchange: {clean(exchange, 64)}")
        return names

    def config(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return core memory's `config`: every pair of every exchange, all of them enabled."""
        return {
            exchange: {
                listing.name: {"strategy": "paper", "enabled": True, "override": {}}
                for listing in listings_of(exchange)
            }
            for exchange in _exchanges()
        }

    def orderbook(self, key: str) -> dict[str, list[list[float]]]:
        """Return `{"ask": [[price, quantity]…], "bid": …}`, best first."""
        listing = _known(key)
        with self._data.transaction() as tx:
            session = self._advance(tx)
            asks, bids = session.line(listing).book(session.now)
        return {name: [[float(p), float(q)] for p, q in side] for name, side in (("ask", asks), ("bid", bids))}

    def memory(self, keys: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return Gunbot's core memory of some pairs (all by default) as far as it is known; see `_open_orders`."""
        listings = [_known(key) for key in keys] if keys is not None else list(LISTINGS.values())
        with self._data.transaction() as tx:
            session = self._advance(tx)
            shown = {listing.key: _memory(session, listing) for listing in listings}
            # Pairs that were loaded with their history, and that nobody trades here.
            loaded = tx.keys_with_records() if keys is None else ()
            return {**{key: {"openOrders": []} for key in loaded}, **shown}

    def orders(self, key: str) -> list[dict[str, Any]]:
        """Return all records of a pair, newest first."""
        with self._data.transaction() as tx:
            self._advance(tx)
            return tx.records([_recorded(tx, key)])

    def orders_page(self, keys: Iterable[str], page: int, size: int) -> tuple[int, list[dict[str, Any]]]:
        """Return how many records some pairs have together, and one page of them, newest first; pages count from 0."""
        with self._data.transaction() as tx:
            known = [_recorded(tx, key) for key in keys]
            self._advance(tx)
            return tx.count_records(known), tx.records(known, offset=page * size, count=size)

    def orders_day(self, keys: Iterable[str], timezone: str) -> dict[str, list[Any]]:
        """Count the fills of the current day in a time zone: `{"days": [ISO date], "orders": [n], "closeOrders": [m]}`.

        `orders` counts every fill, `closeOrders` those among them that reduced what was held (sells; on a short
        position, buys). A day without fills is not listed, so the three lists are empty, as in Gunbot's sample.
        """
        known = [_known(key) for key in dict.fromkeys(keys)]
        with self._data.transaction() as tx:
            session = self._advance(tx)
            here = datetime.fromtimestamp(session.now / 1000, UTC).astimezone(ZoneInfo(timezone))
            midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
            since = round(midnight.timestamp() * 1000)
            found = [(one, record) for one in known for record in tx.records([one.key], since=since)]
        if not found:
            return {"days": [], "orders": [], "closeOrders": []}
        closed = sum(not opens(listing, Side(record["type"])) for listing, record in found)
        return {"days": [here.date().isoformat()], "orders": [len(found)], "closeOrders": [closed]}


def order_id(seed: int, n: int) -> int:
    """Return the id of the n-th leg: six digits like Gunbot's, scattered by the seed, unique (longer after 900,000)."""
    space = 900_000
    factor = 1 + (seed * 7_919 + 361_417) % (space - 1)
    while gcd(factor, space) != 1:
        factor += 1
    return 100_000 + space * (n // space) + (factor * n + seed * 104_729 + 257_044) % space


def _known(key: str) -> Listing:
    exchange, _, pair = key.partition("/")
    return _listing(exchange, pair)


def _recorded(tx: PaperTransaction, key: str) -> str:
    """Return the key if it can be read: a pair of the market, or one that was loaded with its history."""
    return key if key not in LISTINGS and tx.count_records([key]) else _known(key).key


def _listing(exchange: str, pair: str) -> Listing:
    listing = LISTINGS.get(f"{exchange}/{pair}")
    if listing is None:
        names = ", ".join(one.name for one in listings_of(exchange))
        here = f"{exchange} has {names}" if names else "exchanges are " + ", ".join(_exchanges())
        raise Rejected(f"Unknown pair: {clean(exchange, 64)}/{clean(pair, 64)}; {clean(here)}")
    return listing


def _exchanges() -> list[str]:
    return list(dict.fromkeys(listing.exchange for listing in LISTINGS.values()))


def _doubles(leg: Leg) -> Leg:
    return Leg(
        limit=None if leg.limit is None else as_double(leg.limit),
        stop=None if leg.stop is None else as_double(leg.stop),
        trail=None if leg.trail is None else as_double(leg.trail),
    )


def _short_of(session: _Session, listing: Listing, wanted: Decimal) -> str:
    have = session.available(listing.exchange, listing.paying)
    return f"Insufficient balance: {decimal_text(wanted)} {listing.paying} needed, {decimal_text(have)} available"


def _find(session: _Session, intent: Cancel) -> Order:
    """Return the open order of a leg's id. Its type and one of its prices must be given correctly, too."""
    order = session.tx.order_of_leg(intent.order_id)
    if order is None or (order.exchange, order.pair) != (intent.exchange, intent.pair):
        raise Rejected(f"No open order {clean(intent.order_id, 64)} on {intent.exchange}/{intent.pair}")
    state = next(one for one in order.legs if str(one.id) == intent.order_id)
    shown = _open_order(order, state)
    if intent.order_type != shown["orderType"]:
        raise Rejected(f"order {intent.order_id} is of type {shown['orderType']}")
    if float(intent.price) not in {shown.get(name) for name in ("rate", "stopPrice")}:
        raise Rejected(f"order {intent.order_id} was placed at {shown['rate']}")
    return order


def _memory(session: _Session, listing: Listing) -> dict[str, Any]:
    quote = session.line(listing).quote(session.now)
    tx = session.tx
    return {
        "Bid": float(quote.bid),
        "Ask": float(quote.ask),
        "ABP": abp(tx.inventory(listing.key), listing),
        "quoteBalance": float(tx.balance(listing.exchange, listing.holding).total),
        "baseBalance": float(tx.balance(listing.exchange, listing.paying).total),
        "openOrders": [_open_order(order, state) for order in tx.orders(listing.key) for state in order.legs],
    }


def _open_order(order: Order, state: LegState) -> dict[str, Any]:
    """Return one leg as an open order: `id`, `rate` and `orderType` are what a cancel takes as id, price and type.

    `kind` is limit, stop_limit or trailing_stop. `stopPrice` is the trigger (of a trailing stop: where it stands now),
    `triggered` says that a stop has become a plain limit. Legs of one order carry the same `group`; cancelling one
    cancels all. `reduceOnly` marks the close of a position.
    """
    leg, stop = state.leg, engine.trigger(order.side, state)
    rate = leg.limit if leg.limit is not None else order.reference
    return {
        "id": str(state.id),
        "pair": order.pair,
        "type": order.side.value,
        "orderType": "market" if leg.limit is None else "limit",
        "kind": "trailing_stop" if leg.trail is not None else "stop_limit" if leg.stop is not None else "limit",
        "rate": float(rate or stop or 0),
        "amount": float(order.amount),
        "time": order.placed,
        **({"stopPrice": float(stop)} if stop is not None else {}),
        **({"trail": float(leg.trail)} if leg.trail is not None else {}),
        **({"triggered": state.awake} if leg.stop is not None else {}),
        **({"group": str(order.legs[0].id)} if len(order.legs) > 1 else {}),
        **({"reduceOnly": True} if order.closing else {}),
    }
