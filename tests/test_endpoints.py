"""The table: the page's seventeen endpoints, one row each, nothing left to chance."""

import json
from dataclasses import FrozenInstanceError, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gunbot_mcp.domain import Cancel, Capability, Close, Effect, Leg, Place, Side
from gunbot_mcp.endpoints import BY_NAME, ENDPOINTS, AnyEndpoint, Endpoint, Result

CALLS: dict[str, dict[str, Any]] = {
    call["tool"]: call
    for call in json.loads((Path(__file__).parent / "fixtures" / "sample_calls.json").read_text(encoding="utf-8"))
}
NAMES = [
    "buy_limit",
    "buy_market",
    "sell_limit",
    "sell_market",
    "cancel_order",
    "list_orders",
    "list_orders_today",
    "list_orders_page",
    "list_orders_page_multi",
    "buy_stop_limit",
    "sell_stop_limit",
    "buy_trailing_stop",
    "sell_trailing_stop",
    "buy_oco",
    "sell_oco",
    "close_limit",
    "close_market",
]
DOCUMENTED: dict[str, str] = {
    # path: its fields, in the page's order; those in brackets are optional
    "/trade/buy": "exch pair amt price",
    "/trade/buy/market": "exch pair amt [price]",
    "/trade/sell": "exch pair amt price",
    "/trade/sell/market": "exch pair amt [price]",
    "/trade/cancel": "exch pair id price type",
    "/orders": "key",
    "/orders/day": "timezone keys[]",
    "/orders/page": "key page pageSize",
    "/orders/page/multi": "page pageSize keys[]",
    "/trade/buy/stoplimit": "exch pair amt stopPrice limitPrice",
    "/trade/sell/stoplimit": "exch pair amt stopPrice limitPrice",
    "/trade/buy/trailingstop": "exch pair amt price stopPrice",
    "/trade/sell/trailingstop": "exch pair amt price stopPrice",
    "/trade/buy/oco": "exch pair amt price stopPrice limit",
    "/trade/sell/oco": "exch pair amt price stopPrice limit",
    "/trade/close": "exch pair amt price",
    "/trade/close/market": "exch pair amt",
}


def _named(endpoint: AnyEndpoint) -> str:
    return endpoint.name


def test_there_are_seventeen_rows_in_the_pages_order() -> None:
    assert [endpoint.name for endpoint in ENDPOINTS] == NAMES
    assert [endpoint.path for endpoint in ENDPOINTS] == list(DOCUMENTED)
    assert list(BY_NAME) == NAMES


def test_no_two_rows_share_a_name_or_an_address() -> None:
    assert len({endpoint.name for endpoint in ENDPOINTS}) == 17
    assert len({(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}) == 17
    assert all(len(endpoint.name) <= 64 for endpoint in ENDPOINTS)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=_named)
def test_wire_names_are_the_documented_ones_in_their_order(endpoint: AnyEndpoint) -> None:
    found = [
        (field.serialization_alias or name) if field.is_required() else f"[{field.serialization_alias or name}]"
        for name, field in endpoint.args.model_fields.items()
        if not field.exclude
    ]

    assert " ".join(found) == DOCUMENTED[endpoint.path]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=_named)
def test_reads_read_and_trades_trade(endpoint: AnyEndpoint) -> None:
    trades = endpoint.path.startswith("/trade/")

    assert endpoint.method == ("POST" if trades else "GET")
    assert (endpoint.effect is Effect.READ) is not trades
    assert (endpoint.result is Result.SENT) is trades
    assert (endpoint.intent is not None) is trades
    assert (endpoint.needs is not None) is trades
    assert (endpoint.effect is Effect.CANCEL) is (endpoint.name == "cancel_order")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=_named)
def test_only_orders_can_be_marked_as_a_repetition(endpoint: AnyEndpoint) -> None:
    assert ("repeat_of" in endpoint.args.model_fields) is (endpoint.effect is Effect.ORDER)


def test_no_row_can_be_made_without_its_safety_fields() -> None:
    facts: dict[str, Any] = {field.name: getattr(ENDPOINTS[0], field.name) for field in fields(Endpoint)}
    for name in facts:
        with pytest.raises(TypeError, match=name):
            Endpoint(**{key: value for key, value in facts.items() if key != name})


def test_a_row_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ENDPOINTS[0].effect = Effect.READ  # pyright: ignore[reportAttributeAccessIssue] - that is what is tried


ONE = Decimal("1.0")
INTENTS: dict[str, tuple[Side, tuple[Leg, ...], Decimal | None]] = {
    "buy_limit": (Side.BUY, (Leg(limit=Decimal(50000)),), None),
    "buy_market": (Side.BUY, (Leg(),), None),
    "sell_limit": (Side.SELL, (Leg(limit=Decimal(52500)),), None),
    "sell_market": (Side.SELL, (Leg(),), None),
    "buy_stop_limit": (Side.BUY, (Leg(stop=Decimal(49900), limit=Decimal(49850)),), None),
    "sell_stop_limit": (Side.SELL, (Leg(stop=Decimal(50100), limit=Decimal(50150)),), None),
    "buy_trailing_stop": (Side.BUY, (Leg(trail=Decimal(100)),), Decimal(50000)),
    "sell_trailing_stop": (Side.SELL, (Leg(trail=Decimal(50)),), Decimal(52500)),
    "buy_oco": (Side.BUY, (Leg(limit=Decimal(50000)), Leg(stop=Decimal(49900), limit=Decimal(49850))), None),
    "sell_oco": (Side.SELL, (Leg(limit=Decimal(52500)), Leg(stop=Decimal(52550), limit=Decimal(52600))), None),
}


def _intent(name: str, **changed: object) -> object:
    endpoint = BY_NAME[name]
    assert endpoint.intent is not None
    return endpoint.intent(endpoint.args.model_validate({**CALLS[name]["arguments"], **changed}))


@pytest.mark.parametrize("name", INTENTS)
def test_a_sample_order_is_these_legs(name: str) -> None:
    side, legs, reference = INTENTS[name]
    trails = name.endswith("trailing_stop")
    trigger = Decimal(str(CALLS[name]["arguments"]["stop_price"])) if trails else None

    assert _intent(name) == Place(
        side=side,
        exchange="binance",
        pair="USDT-BTC",
        amount=ONE,
        legs=legs,
        reference=reference,
        trigger=trigger,
    )


def test_a_market_orders_price_is_a_reference_and_no_limit() -> None:
    assert _intent("buy_market", price=50000) == Place(
        side=Side.BUY, exchange="binance", pair="USDT-BTC", amount=ONE, legs=(Leg(),), reference=Decimal(50000)
    )


def test_closing_names_the_position_and_the_leg() -> None:
    leg = Leg(limit=Decimal(51000))

    assert _intent("close_limit") == Close(exchange="bybit", pair="USDT-BTC-LONG", amount=ONE, leg=leg)
    assert _intent("close_market") == Close(exchange="bybit", pair="USDT-BTC-LONG", amount=ONE, leg=Leg())


def test_cancelling_names_the_order_as_it_was_placed() -> None:
    assert _intent("cancel_order") == Cancel(
        exchange="binance", pair="USDT-BTC", order_id="357044", price=Decimal(50000), order_type="limit"
    )


def test_every_capability_is_needed_by_somebody() -> None:
    assert {endpoint.needs for endpoint in ENDPOINTS} == {None, *Capability}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=_named)
def test_a_title_is_for_people(endpoint: AnyEndpoint) -> None:
    assert "_" not in endpoint.title
    assert endpoint.title[0].isupper()
    assert "oco" not in endpoint.title
    assert endpoint.about.endswith(".")
