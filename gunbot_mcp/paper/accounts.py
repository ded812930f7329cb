"""Balances, lots, and the order record with its eighteen fields.

A record's numbers are JavaScript doubles, computed in float arithmetic as Gunbot computes them (its documented sample
records are reproduced bit for bit where a formula is known to be exact). Balances are `Decimal` and move by the
record's own numbers, so that a balance equals its opening plus the sum of the records exactly:

- spot, and long positions: the traded side by ±amount, the paying side by ∓cost. The fee is reported in the record and
  not taken from the balance, as in Gunbot's samples.
- short positions: opening (a sell) takes cost, closing (a buy) gives back cost + 2·pnl, which is the margin that was
  paid for the amount, plus the profit or minus the loss.

Positions are not leveraged: opening pays the whole cost as margin, closing returns margin plus pnl. The margin of what
is closed is that of the oldest lots. A short whose price more than doubled costs money to close; without that money,
the close is refused. There is no funding and no liquidation.

Fields that Gunbot's documents leave open are filled so: `averagePrice` is inventory_cost·(1+f) always (minus the fee
for shorts); `pnlPrice`, whose meaning is unknown, repeats `ABP`, the price at which nothing is won or lost. `pnl` of a
spot sell is baseValue - (1+f)·cost of the cheapest lots; of a position's close it is what the balance gained or lost,
without the fee. What was sold beyond the lots of a pair (bought through another pair) counts as bought for what it
was sold for. Lots belong to a pair, not to an asset.

Averages and costs over lots are sums of exact decimals, rounded once, to the double that the record shows. A sum of
doubles would depend on the order of its terms (and on the Python version, whose `sum` changed in 3.12); an exact sum
can be carried along from trade to trade, so that a trade costs the same whatever the account holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from typing import Any

from gunbot_mcp.domain import Side, decimal_text
from gunbot_mcp.gunbot.records import RECORD_FIELDS
from gunbot_mcp.paper.engine import Fill, Order
from gunbot_mcp.paper.pairs import Listing

FEE = 0.001
_EXACT = Context(prec=400, traps=[InvalidOperation, Inexact])
_ZERO = Decimal(0)
_MAX_SAFE = 2**53
# A trailing buy's final price is not known; what is reserved is its price when it is placed, and this much above.
_SLIPPAGE = Decimal("1.01")


def add(one: Decimal, two: Decimal) -> Decimal:
    """Return the exact sum; amounts of 1e-18 beside millions must not be rounded away."""
    return _EXACT.add(one, two)


def subtract(one: Decimal, two: Decimal) -> Decimal:
    return _EXACT.subtract(one, two)


def digits(amount: Decimal) -> str:
    """Return the amount's digits as doubles are written, so that equal amounts are equal texts: `0`, `3.0`, `0.25`."""
    text = decimal_text(_EXACT.normalize(amount))
    return text if "." in text or not amount else f"{text}.0"


def _product(rate: float, amount: Decimal) -> Decimal:
    return _EXACT.multiply(Decimal(repr(rate)), amount)


def as_double(number: Decimal) -> Decimal:
    """Return the number as a JavaScript double would hold it, in its shortest digits."""
    return Decimal(repr(float(number)))


def cost_of(rate: Decimal, amount: Decimal) -> Decimal:
    return Decimal(repr(float(rate) * float(amount)))


@dataclass(frozen=True, slots=True)
class Lot:
    """What one opening trade brought, less what was closed since, counted in two ways.

    `fifo` is what is left if the oldest goes first; `cheap` is what is left, fee taken off the amount, if the cheapest
    goes first. Gunbot's inventory_cost comes from the one, its ABP from the other.
    """

    n: int
    rate: float
    fifo: Decimal
    cheap: Decimal


def lot(n: int, rate: float, amount: Decimal) -> Lot:
    return Lot(n, rate, amount, Decimal(repr(float(amount) * (1 - FEE))))


@dataclass(frozen=True, slots=True)
class Inventory:
    """Exact sums over the lots of a pair: both quantities, and both quantities times the lots' rates."""

    fifo: Decimal = _ZERO
    fifo_value: Decimal = _ZERO
    cheap: Decimal = _ZERO
    cheap_value: Decimal = _ZERO

    @property
    def sums(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        return self.fifo, self.fifo_value, self.cheap, self.cheap_value

    def plus(self, part: Lot) -> "Inventory":
        return Inventory(
            add(self.fifo, part.fifo),
            add(self.fifo_value, _product(part.rate, part.fifo)),
            add(self.cheap, part.cheap),
            add(self.cheap_value, _product(part.rate, part.cheap)),
        )

    def minus(self, part: Lot) -> "Inventory":
        return self.plus(replace(part, fifo=-part.fifo, cheap=-part.cheap))


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """One pair's side of an account: `paying` and `held` are totals, `spendable` is the paying asset not reserved.

    `oldest` are the lots with a `fifo` part by age, `cheapest` those with a `cheap` part by rate, then age; they are
    read only as far as a trade reaches. `newest` is the number of the newest lot, 0 without lots.
    """

    paying: Decimal
    held: Decimal
    spendable: Decimal
    inventory: Inventory = field(default_factory=Inventory)
    oldest: Iterable[Lot] = ()
    cheapest: Iterable[Lot] = ()
    newest: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The account after a fill. `lots` are the new and the changed ones; a lot whose two parts are 0 is used up."""

    paying: Decimal
    held: Decimal
    inventory: Inventory
    lots: tuple[Lot, ...]
    record: dict[str, Any]


def opens(listing: Listing, side: Side) -> bool:
    """Say whether a trade of this side adds to what is held: buys do, and sells of a short position."""
    return (side is Side.SELL) == (listing.hedge == "SHORT")


def reserve(order: Order, listing: Listing) -> tuple[str, Decimal]:
    """Return what an open order keeps from being spent, the most that a leg could take: (asset or position, amount)."""
    if not opens(listing, order.side):
        return listing.holding, order.amount
    prices: list[Decimal] = []
    for state in order.legs:
        if state.leg.limit is not None:
            prices.append(state.leg.limit)
        elif state.leg.trail is not None and state.anchor is not None:
            prices.append((state.anchor + state.leg.trail) * _SLIPPAGE)
    return listing.paying, max((cost_of(price, order.amount) for price in prices), default=_ZERO)


def settle(fill: Fill, listing: Listing, holdings: Holdings) -> Settled | None:
    """Return the account after a fill and its record, or None if there is not enough money for it."""
    amount, rate = float(fill.order.amount), float(fill.rate)
    cost = rate * amount
    opening = opens(listing, fill.order.side)
    if opening:
        opened = lot(holdings.newest + 1, rate, fill.order.amount)
        lots, inventory, matched = (opened,), holdings.inventory.plus(opened), 0.0
        paid = Decimal(repr(cost))
    else:
        lots, inventory, fifo_cost, cheap_cost = _consume(holdings, fill.order.amount, rate)
        matched = fifo_cost if listing.hedge else cheap_cost
        paid = Decimal(repr(-cost))
    record = _money(fill, listing, cost, matched, opening=opening)
    if listing.hedge == "SHORT" and not opening:
        paid = _EXACT.subtract(paid, _EXACT.multiply(Decimal(2), Decimal(repr(record["pnl"]))))
    if paid > holdings.spendable:
        return None
    paying = subtract(holdings.paying, paid)
    held = (add if opening else subtract)(holdings.held, fill.order.amount)
    record |= _averages(inventory, listing) | {"balance": float(held), "baseBalance": float(paying)}
    return Settled(
        paying=paying,
        held=held,
        inventory=inventory,
        lots=lots,
        record={name: _javascript(record[name]) for name in _order_of(record)},
    )


def paid_by(record: dict[str, Any], listing: Listing) -> Decimal:
    """Return by how much a record moved the paying asset's balance, computed from the record alone."""
    side = Side(record["type"])
    cost = Decimal(repr(record["cost"]))
    if opens(listing, side):
        return -cost
    if listing.hedge == "SHORT":
        return _EXACT.add(cost, _EXACT.multiply(Decimal(2), Decimal(repr(record["pnl"]))))
    return cost


def held_by(record: dict[str, Any], listing: Listing) -> Decimal:
    """Return by how much a record moved the traded side's balance."""
    amount = Decimal(repr(record["amount"]))
    return amount if opens(listing, Side(record["type"])) else -amount


def _money(fill: Fill, listing: Listing, cost: float, matched: float, *, opening: bool) -> dict[str, Any]:
    fees = cost * FEE
    buys = fill.order.side is Side.BUY
    value = cost + fees if buys else cost - fees
    if opening:
        pnl = 0.0
    elif listing.hedge:
        pnl = matched - cost if listing.hedge == "SHORT" else cost - matched
    else:
        pnl = value - (1 + FEE) * matched
    return {
        "time": fill.at,
        "pair": listing.name,
        "type": fill.order.side.value,
        "rate": float(fill.rate),
        "amount": float(fill.order.amount),
        "id": fill.leg_id,
        "cost": cost,
        **({"toCancel": True} if buys else {}),
        "fees": fees,
        "baseValue": value,
        "costProceed": -value if buys else value,
        "pnl": pnl,
    }


def _averages(inventory: Inventory, listing: Listing) -> dict[str, float]:
    inventory_cost = _average(inventory.fifo_value, inventory.fifo)
    if listing.hedge == "SHORT":
        break_even = inventory_cost * (1 - FEE) ** 2
        average = inventory_cost * (1 - FEE)
    else:
        break_even = _average(inventory.cheap_value, inventory.cheap) / (1 - FEE) ** 2
        average = inventory_cost * (1 + FEE)
    return {"averagePrice": average, "pnlPrice": break_even, "inventory_cost": inventory_cost, "ABP": break_even}


def abp(inventory: Inventory, listing: Listing) -> float:
    """Return the break-even price of what is held; 0 when nothing is."""
    return _averages(inventory, listing)["ABP"]


def _average(value: Decimal, quantity: Decimal) -> float:
    return float(Fraction(value) / Fraction(quantity)) if quantity else 0.0


def _consume(holdings: Holdings, amount: Decimal, rate: float) -> tuple[tuple[Lot, ...], Inventory, float, float]:
    """Take `amount` from the lots; return the changed lots, the sums left, and its cost by the oldest and cheapest."""
    by_age, fifo_cost = _take(((item, item.fifo) for item in holdings.oldest), amount, rate)
    by_price, cheap_cost = _take(((item, item.cheap) for item in holdings.cheapest), amount, rate)
    left: dict[int, Lot] = {}
    inventory = holdings.inventory
    for item, taken in by_age:
        left[item.n] = replace(item, fifo=subtract(item.fifo, taken))
        inventory = inventory.minus(replace(item, fifo=taken, cheap=_ZERO))
    for item, taken in by_price:
        left[item.n] = replace(left.get(item.n, item), cheap=subtract(item.cheap, taken))
        inventory = inventory.minus(replace(item, fifo=_ZERO, cheap=taken))
    return tuple(left.values()), inventory, fifo_cost, cheap_cost


def _take(lots: Iterable[tuple[Lot, Decimal]], amount: Decimal, rate: float) -> tuple[list[tuple[Lot, Decimal]], float]:
    """Return how much is taken of each lot, in order, and the cost of that; `rate` prices what the lots do not have."""
    parts, cost, wanted = list[tuple[Lot, Decimal]](), _ZERO, amount
    for item, quantity in lots:
        taken = min(quantity, wanted)
        parts.append((item, taken))
        cost, wanted = add(cost, _product(item.rate, taken)), subtract(wanted, taken)
        if not wanted:
            break
    return parts, float(add(cost, _product(rate, wanted)))


def _order_of(record: dict[str, Any]) -> list[str]:
    return [name for name in RECORD_FIELDS if name in record]


def _javascript(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return whole doubles as integers, which is how JavaScript writes them."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_SAFE else value
