"""An order's prices drawn to scale: every price once, none covers another, the same in words, and nothing that acts."""

from decimal import Decimal
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.domain import Cancel, Intent, Leg, Place, Side
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.ladder import as_svg, ladder, marks_of

BOOK = Book(bid=Decimal(49999), ask=Decimal(50001))
SVG = "{http://www.w3.org/2000/svg}"


def place(*legs: Leg, side: Side = Side.SELL, **more: Any) -> Place:  # noqa: ANN401 - any field
    return Place(side=side, exchange="binance", pair="USDT-BTC", amount=Decimal("0.001"), legs=legs, **more)


def leg(**prices: str) -> Leg:
    return Leg(**{name: Decimal(price) for name, price in prices.items()})


def drawn(intent: Intent, book: Book = BOOK, before: Book | None = None, *, moved: bool = False) -> ET.Element:
    found = ladder(intent, book, before, moved=moved)
    assert found is not None
    return ET.fromstring(as_svg(found))


def texts(picture: ET.Element) -> list[str]:
    return [str(part.text) for part in picture.iter(f"{SVG}text")]


CASES: list[tuple[Intent, list[str]]] = [
    (place(leg(limit="48000"), side=Side.BUY), ["Ask 50,001", "Bid 49,999", "Limit 48,000", "4.00 % below the ask"]),
    (place(Leg(), side=Side.BUY), ["Ask 50,001", "Fills near 50,001", "the ask, at the market", "Bid 49,999"]),
    (
        place(leg(limit="52000"), leg(stop="48000", limit="47900")),
        [
            *("1. Limit 52,000", "4.00 % above the bid", "Ask 50,001", "Bid 49,999"),
            *("2. Stop 48,000", "4.00 % below the bid", "2. Limit after the stop 47,900", "4.20 % below the bid"),
        ],
    ),
    (
        place(leg(stop="49000", limit="49000")),
        ["Ask 50,001", "Bid 49,999", "Stop 49,000", "2.00 % below the bid, then limit 49,000"],
    ),
    (
        place(leg(trail="500"), reference=Decimal(50000), trigger=Decimal(49500)),
        [
            *("Ask 50,001", "Its price 50,000", "less than 0.01 % above the bid", "Bid 49,999"),
            *("Trails by 500 from 49,999", "1.00 % of the bid", "Its stop 49,500", "1.00 % below the bid"),
        ],
    ),
    (
        Cancel(exchange="binance", pair="USDT-BTC", order_id="1", price=Decimal(48000), order_type="limit"),
        ["Ask 50,001", "Bid 49,999", "The order 48,000", "4.00 % below the bid"],
    ),
]


@pytest.mark.parametrize(("intent", "says"), CASES, ids=[str(number) for number in range(len(CASES))])
def test_every_price_stands_there_with_its_distance_highest_first(intent: Intent, says: list[str]) -> None:
    assert texts(drawn(intent)) == says


@pytest.mark.parametrize("intent", [intent for intent, _ in CASES], ids=[str(number) for number in range(len(CASES))])
def test_whoever_does_not_see_it_hears_all_of_it(intent: Intent) -> None:
    picture = drawn(intent)

    assert picture.get("role") == "img"
    assert all(text in str(picture.get("aria-label")) for text in texts(picture))


def test_a_market_that_moved_since_is_drawn_where_it_was_and_is() -> None:
    rose = Book(bid=Decimal(58490), ask=Decimal(58501))
    order = place(Leg(), side=Side.BUY)

    assert "Ask when proposed 50,001" in texts(drawn(order, rose, BOOK))
    assert "it rose by 17.00 % since" in texts(drawn(order, rose, BOOK))
    assert drawn(order, rose, BOOK, moved=True).get("class") == "ladder moved"
    assert "Ask when proposed 50,001" not in texts(drawn(order, BOOK, BOOK))


def test_without_a_market_there_is_nothing_to_draw() -> None:
    assert ladder(place(Leg()), Book(bid=None, ask=None)) is None


PRICE = st.decimals(Decimal("1e-12"), Decimal("1e12"), allow_nan=False, allow_infinity=False, places=12).filter(bool)


@given(bid=PRICE, ask=PRICE, first=PRICE, second=PRICE, one_sided=st.booleans())
def test_it_is_to_scale_and_no_label_covers_another(
    bid: Decimal,
    ask: Decimal,
    first: Decimal,
    second: Decimal,
    *,
    one_sided: bool,
) -> None:
    book = Book(bid=bid, ask=None if one_sided else ask)
    intent = place(Leg(limit=first), Leg(stop=second))
    marks, picture = marks_of(intent, book), drawn(intent, book)

    lines = [str(part.get("d")) for part in picture.iter(f"{SVG}path")][1::2]
    at = [float(line.split()[1].partition("H")[0]) for line in lines]
    assert at == sorted(at)
    high, low = marks[0].price, marks[-1].price
    if high - low > high / 100:
        for mark, y in zip(marks, at, strict=True):
            part = (high - mark.price) / (high - low)
            assert abs((y - at[0]) - float(part) * (at[-1] - at[0])) <= 0.2
    labels = [float(str(part.get("y"))) for part in picture.iter(f"{SVG}text") if part.get("class") is None]
    assert all(below - above >= 21.8 for above, below in pairwise(labels))
    height = float(str(picture.get("viewBox")).split()[-1])
    assert min(labels) > 0
    assert max(labels) <= height
