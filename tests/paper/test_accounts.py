import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gunbot_mcp.domain import Leg, Side
from gunbot_mcp.paper.accounts import Holdings, Inventory, Lot, add, held_by, lot, opens, paid_by, reserve, settle
from gunbot_mcp.paper.engine import Fill, LegState, Order
from gunbot_mcp.paper.pairs import LISTINGS, Listing, opening_balances

D = Decimal
BTC = LISTINGS["binance/USDT-BTC"]
LONG = LISTINGS["bybit/USDT-BTC-LONG"]
SHORT = LISTINGS["bybit/USDT-BTC-SHORT"]
FIELDS = [
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
]  # fmt: skip - in the page's order


@pytest.fixture
def samples() -> list[dict[str, Any]]:
    """The four records of the product's page, newest first."""
    file = Path(__file__).parents[1] / "fixtures" / "gunbot_sample_records.json"
    return json.loads(file.read_text(encoding="utf-8"))


def fill(side: Side, rate: str, amount: str, listing: Listing = BTC) -> Fill:
    order = Order(
        n=1,
        exchange=listing.exchange,
        pair=listing.name,
        side=side,
        amount=D(amount),
        legs=(LegState(id=123456, leg=Leg()),),
        placed=0,
    )
    return Fill(order, 123456, 1_700_000_000_000, D(rate))


@dataclass(frozen=True)
class Account:
    """One pair's side of an account with all its lots, and the record of the fill that led to it."""

    paying: Decimal
    held: Decimal
    lots: tuple[Lot, ...]
    record: dict[str, Any]

    @property
    def holdings(self) -> Holdings:
        return Holdings(
            paying=self.paying,
            held=self.held,
            spendable=self.paying,
            inventory=total(self.lots),
            oldest=sorted((one for one in self.lots if one.fifo), key=lambda one: one.n),
            cheapest=sorted((one for one in self.lots if one.cheap), key=lambda one: (one.rate, one.n)),
            newest=max((one.n for one in self.lots), default=0),
        )


def total(lots: Iterable[Lot]) -> Inventory:
    inventory = Inventory()
    for one in lots:
        inventory = inventory.plus(one)
    return inventory


def account(paying: str, held: str, *lots: Lot) -> Account:
    return Account(D(paying), D(held), lots, {})


def settled(one: Fill, listing: Listing, before: Account) -> Account:
    result = settle(one, listing, before.holdings)
    assert result is not None
    lots = {item.n: item for item in (*before.lots, *result.lots)}
    left = tuple(item for item in lots.values() if item.fifo or item.cheap)
    assert result.inventory == total(left)
    return Account(result.paying, result.held, left, result.record)


def test_the_exact_formulas_reproduce_gunbots_sample_records_bit_for_bit(samples: list[dict[str, Any]]) -> None:
    exact = ["pair", "type", "rate", "amount", "cost", "fees", "baseValue", "costProceed"]
    for sample in samples:
        one = fill(Side(sample["type"]), repr(sample["rate"]), repr(sample["amount"]))
        record = settled(one, BTC, account("10000", "1", lot(0, 80000.0, D(1)))).record
        assert {name: record[name] for name in exact} == {name: sample[name] for name in exact}
        assert record.get("toCancel") == sample.get("toCancel")
        assert set(record) == set(sample)
        assert [name for name in FIELDS if name in record] == list(record)


def test_balances_move_as_they_do_between_gunbots_sample_records(samples: list[dict[str, Any]]) -> None:
    for before, sample in pairwise(reversed(samples)):
        one = fill(Side(sample["type"]), repr(sample["rate"]), repr(sample["amount"]))
        start = account(repr(before["baseBalance"]), repr(before["balance"]), lot(0, 80000.0, D(1)))
        record = settled(one, BTC, start).record
        assert record["balance"] == pytest.approx(sample["balance"], rel=1e-15)
        assert record["baseBalance"] == pytest.approx(sample["baseBalance"], rel=1e-15)


def test_the_break_even_price_of_the_samples_follows_from_the_cheapest_lots(samples: list[dict[str, Any]]) -> None:
    first, second, *rest = reversed(samples)
    # The lots before the samples, their amount and their price, are solved from the first two break-even prices.
    average, later = first["ABP"] * 0.999**2, second["ABP"] * 0.999**2
    quantity = second["amount"] * 0.999 * (later - second["rate"]) / (average - later)
    bought = first["amount"] * 0.999
    rate = (average * quantity - first["rate"] * bought) / (quantity - bought)
    older = Lot(0, rate, D(1), D(repr(quantity - bought)))
    holdings = account("100000", "1", older, Lot(1, first["rate"], D(1), D(repr(bought))))
    for sample in (second, *rest):
        result = settled(fill(Side(sample["type"]), repr(sample["rate"]), repr(sample["amount"])), BTC, holdings)
        assert result.record["ABP"] == pytest.approx(sample["ABP"], rel=1e-5)
        holdings = result


def test_a_round_trip_leaves_flat_lots_a_zero_break_even_price_and_the_spread_as_pnl() -> None:
    bought = settled(fill(Side.BUY, "100", "2"), BTC, account("1000", "0"))
    assert bought.record["inventory_cost"] == 100
    assert bought.record["averagePrice"] == pytest.approx(100.1)
    assert bought.record["ABP"] == pytest.approx(100 / 0.999**2)
    assert bought.record["pnl"] == 0
    sold = settled(fill(Side.SELL, "110", "2"), BTC, bought)
    assert (sold.paying, sold.held, sold.lots) == (1020, 0, ())
    assert (sold.record["ABP"], sold.record["inventory_cost"], sold.record["averagePrice"]) == (0, 0, 0)
    assert sold.record["pnl"] == pytest.approx(220 * 0.999 - 200 * 1.001, abs=0.03)
    assert "toCancel" not in sold.record


def test_inventory_is_first_in_first_out_and_break_even_takes_the_cheapest_first() -> None:
    holdings = account("1000", "2", lot(0, 100.0, D(1)), lot(1, 50.0, D(1)))
    record = settled(fill(Side.SELL, "120", "1"), BTC, holdings).record
    assert record["inventory_cost"] == 50
    assert record["ABP"] == pytest.approx(100 / 0.999**2)
    assert record["pnl"] == pytest.approx(120 * 0.999 - 1.001 * (50 * 0.999 + 100 * 0.001))


def test_what_was_sold_beyond_the_lots_makes_no_profit() -> None:
    record = settled(fill(Side.SELL, "120", "3"), BTC, account("0", "3")).record
    assert record["pnl"] == pytest.approx(360 * 0.999 - 1.001 * 360)


def test_a_fill_without_the_money_for_it_does_not_settle() -> None:
    assert settle(fill(Side.BUY, "100", "2"), BTC, account("199.99", "0").holdings) is None
    assert settle(fill(Side.BUY, "100", "2"), BTC, account("200", "0").holdings) is not None


@pytest.mark.parametrize(("exit_rate", "pnl"), [("110", 10), ("90", -10)])
def test_a_long_position_returns_its_margin_and_its_pnl(exit_rate: str, pnl: int) -> None:
    opened = settled(fill(Side.BUY, "100", "1", LONG), LONG, account("1000", "0"))
    closed = settled(fill(Side.SELL, exit_rate, "1", LONG), LONG, opened)
    assert (opened.paying, closed.paying, closed.record["pnl"]) == (900, 1000 + pnl, pnl)


@pytest.mark.parametrize(("exit_rate", "pnl"), [("110", -10), ("90", 10), ("250", -150)])
def test_a_short_position_wins_when_the_price_falls(exit_rate: str, pnl: int) -> None:
    opened = settled(fill(Side.SELL, "100", "1", SHORT), SHORT, account("1000", "0"))
    assert (opened.paying, opened.held) == (900, 1)
    assert opened.record["ABP"] == pytest.approx(100 * 0.999**2)
    closed = settled(fill(Side.BUY, exit_rate, "1", SHORT), SHORT, opened)
    assert (closed.paying, closed.held, closed.record["pnl"]) == (1000 + pnl, 0, pnl)


def test_a_short_that_lost_more_than_all_its_owner_has_cannot_be_closed() -> None:
    opened = settled(fill(Side.SELL, "100", "1", SHORT), SHORT, account("100", "0"))
    assert settle(fill(Side.BUY, "201", "1", SHORT), SHORT, opened.holdings) is None


def test_averages_are_exact_and_rounded_once_whatever_the_order_of_the_lots() -> None:
    tenths = [lot(n, 0.1 * n, D("0.1")) for n in range(1, 11)]
    for lots in (tenths, tenths[::-1]):
        record = settled(fill(Side.BUY, "0.55", "0.1"), BTC, account("1", "1", *lots)).record
        assert record["inventory_cost"] == 0.55


def test_balances_are_exact_where_doubles_are_not() -> None:
    result = settled(fill(Side.BUY, "51000.01", "0.000000000000000003"), BTC, account("1000000", "10"))
    assert result.held == D("10.000000000000000003")
    assert result.paying == add(D(1000000), paid_by(result.record, BTC))


@pytest.mark.parametrize("listing", [BTC, LONG, SHORT], ids=lambda one: one.name)
@pytest.mark.parametrize("side", list(Side))
def test_a_record_alone_says_how_the_balances_moved(listing: Listing, side: Side) -> None:
    before = account("5000", "3", lot(0, 99.1, D(2)), lot(1, 103.7, D(1)))
    result = settled(fill(side, "101.3", "0.7", listing), listing, before)
    assert result.paying - before.paying == paid_by(result.record, listing)
    assert result.held - before.held == held_by(result.record, listing)


def test_an_order_reserves_its_dearest_leg_or_what_it_sells() -> None:
    def order(side: Side, listing: Listing, *states: LegState) -> tuple[str, Decimal]:
        return reserve(
            Order(n=1, exchange="x", pair=listing.name, side=side, amount=D(2), legs=states, placed=0), listing
        )

    limit, stop = LegState(id=1, leg=Leg(limit=D(100))), LegState(id=2, leg=Leg(stop=D(120), limit=D(130)))
    trail = LegState(id=3, leg=Leg(trail=D(10)), anchor=D(90))
    assert order(Side.BUY, BTC, limit, stop) == ("USDT", 260)
    assert order(Side.BUY, BTC, limit) == ("USDT", 200)
    assert order(Side.BUY, BTC, trail) == ("USDT", 202)
    assert order(Side.SELL, BTC, limit, stop) == ("BTC", 2)
    assert order(Side.SELL, SHORT, limit) == ("USDT", 200)
    assert order(Side.BUY, SHORT, limit) == ("USDT-BTC-SHORT", 2)


def test_every_listing_has_assets_that_its_account_holds() -> None:
    balances = opening_balances()
    for listing in LISTINGS.values():
        assert balances[listing.exchange, listing.paying] > 0
        assert balances[listing.exchange, listing.holding] > 0
        assert opens(listing, Side.SELL) == (listing.hedge == "SHORT")
