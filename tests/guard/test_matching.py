"""Finding an order again by what it looks like: what fits can only be it, and what was there before is not."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.domain import Close, Leg, Place, Side
from gunbot_mcp.guard.matching import CLOCK_SKEW_MILLIS, Baseline, match_filled, match_open
from gunbot_mcp.gunbot.records import OpenOrder, open_orders
from gunbot_mcp.tickets.ticket import Certainty, Observation

NOW = 1_800_000_000_000
SEEN_AT = datetime(2030, 1, 2, tzinfo=UTC)
EMPTY = Baseline(open_ids=frozenset(), filled_ids=frozenset(), at_millis=NOW)
RAW = {"id": "77", "pair": "USDT-BTC", "type": "buy", "rate": 49000, "amount": 0.001}
FILL = {"id": 5, "time": NOW + 5, "pair": "USDT-BTC", "type": "buy", "rate": 49000, "amount": 0.001}


def buy(*legs: Leg, amount: str = "0.001") -> Place:
    legs = legs or (Leg(limit=Decimal(49000)),)
    return Place(side=Side.BUY, exchange="binance", pair="USDT-BTC", amount=Decimal(amount), legs=legs)


def orders(*raw: dict[str, Any]) -> list[OpenOrder]:
    return open_orders({"memory": {"binance/USDT-BTC": {"openOrders": list(raw)}}}, "binance/USDT-BTC") or []


def ids(found: list[Observation]) -> list[str]:
    return [name for seen in found for name in seen.order_ids]


def test_a_new_open_order_that_looks_the_same_is_found() -> None:
    assert match_open(buy(), orders(RAW), EMPTY, SEEN_AT) == [
        Observation(
            order_ids=("77",),
            where="open_orders",
            state="open",
            certainty=Certainty.MATCH,
            seen_at=SEEN_AT,
            price=Decimal(49000),
            order_type="limit",
        )
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"id": ""},
        {"pair": "USDT-ETH"},
        {"type": "sell"},
        {"type": None},
        {"amount": 0.002},
        {"amount": None},
        {"rate": 49001},
        {"rate": None},
    ],
)
def test_an_order_that_differs_in_anything_is_not_it(other: dict[str, Any]) -> None:
    assert match_open(buy(), orders({**RAW, **other}), EMPTY, SEEN_AT) == []


def test_an_order_that_was_open_before_is_not_it() -> None:
    before = Baseline(open_ids=frozenset({"77"}), filled_ids=frozenset(), at_millis=NOW)
    assert ids(match_open(buy(), orders(RAW, {**RAW, "id": "78"}), before, SEEN_AT)) == ["78"]


def test_where_nobody_knows_what_was_open_before_no_open_order_is_it() -> None:
    unread = Baseline(open_ids=None, filled_ids=frozenset(), at_millis=NOW)
    assert match_open(buy(), orders(RAW), unread, SEEN_AT) == []


def test_each_leg_of_an_oco_is_found_at_its_own_price() -> None:
    oco = buy(Leg(limit=Decimal(48000)), Leg(stop=Decimal(51000), limit=Decimal(51100)))
    found = match_open(
        oco,
        orders({**RAW, "rate": 48000}, {**RAW, "id": "78", "rate": 51100}, {**RAW, "id": "79", "rate": 52}),
        EMPTY,
        SEEN_AT,
    )
    assert ids(found) == ["77", "78"]


def test_an_order_without_a_price_of_its_own_is_found_at_any() -> None:
    assert ids(match_open(buy(Leg(trail=Decimal(100))), orders({**RAW, "rate": None}), EMPTY, SEEN_AT)) == ["77"]


@given(st.decimals("0.00000001", "1e9", places=8))
def test_an_amount_that_came_back_as_a_double_is_the_same_amount(amount: Decimal) -> None:
    raw = {**RAW, "amount": float(amount)}
    assert ids(match_open(buy(amount=str(amount)), orders(raw), EMPTY, SEEN_AT)) == ["77"]


def test_a_new_fill_that_is_no_worse_than_the_limit_is_found() -> None:
    assert match_filled(buy(), [FILL], EMPTY, SEEN_AT) == [
        Observation(
            order_ids=("5",),
            where="history",
            state="filled",
            certainty=Certainty.MATCH,
            seen_at=SEEN_AT,
            price=Decimal(49000),
        )
    ]
    assert ids(match_filled(buy(), [{**FILL, "rate": 48000.5}], EMPTY, SEEN_AT)) == ["5"]


@pytest.mark.parametrize(
    "other",
    [
        {"id": ""},
        {"time": NOW - CLOCK_SKEW_MILLIS - 1},
        {"time": None},
        {"type": "sell"},
        {"pair": "USDT-ETH"},
        {"amount": 0.002},
        {"rate": 49000.01},
        {"rate": "much"},
    ],
)
def test_a_fill_that_differs_in_anything_is_not_it(other: dict[str, Any]) -> None:
    assert match_filled(buy(), [{**FILL, **other}], EMPTY, SEEN_AT) == []


def test_a_fill_that_was_in_the_history_before_or_may_have_been_is_not_it() -> None:
    before = Baseline(open_ids=frozenset(), filled_ids=frozenset({"5"}), at_millis=NOW)
    assert match_filled(buy(), [FILL], before, SEEN_AT) == []
    unread = Baseline(open_ids=frozenset(), filled_ids=None, at_millis=NOW)
    assert match_filled(buy(), [FILL], unread, SEEN_AT) == []
    assert ids(match_filled(buy(), [FILL], EMPTY, SEEN_AT)) == ["5"]


def test_clocks_may_differ_by_a_minute() -> None:
    assert ids(match_filled(buy(), [{**FILL, "time": NOW - CLOCK_SKEW_MILLIS}], EMPTY, SEEN_AT)) == ["5"]


def test_a_sell_fills_at_its_limit_or_above_and_a_market_order_anywhere() -> None:
    close = Close(exchange="binance", pair="USDT-BTC", amount=Decimal("0.001"), leg=Leg(limit=Decimal(49000)))
    assert ids(match_filled(close, [{**FILL, "type": "sell", "rate": 50000}], EMPTY, SEEN_AT)) == ["5"]
    assert match_filled(close, [{**FILL, "type": "sell", "rate": 48999}], EMPTY, SEEN_AT) == []
    assert ids(match_filled(buy(Leg()), [{**FILL, "rate": 99999}], EMPTY, SEEN_AT)) == ["5"]


@pytest.mark.parametrize(
    "baseline",
    [
        Baseline(open_ids=frozenset({"b", "a"}), filled_ids=frozenset(), at_millis=NOW),
        Baseline(open_ids=None, filled_ids=None, at_millis=0),
    ],
)
def test_what_was_there_before_survives_being_written_down(baseline: Baseline) -> None:
    assert Baseline.from_dict(baseline.as_dict()) == baseline
