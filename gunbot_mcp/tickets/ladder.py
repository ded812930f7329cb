"""An order's prices drawn to scale beside the market: one drawing for the page, the card and the pictures. Pure.

A drawing is a tree of `Shape`s: `as_svg` writes it as text; a page's script, which may not parse text into elements,
makes the elements from the same tree. It uses the colours of whatever it stands in (`currentColor` and the classes of
`ticket.css`), carries no style of its own, so that a strict content policy lets it pass, and says everything once more
in words for whoever cannot see it. Prices are in the pair's paying asset.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape

from gunbot_mcp.domain import Cancel, Intent, Leg, Place, grouped, legs_of, side_of
from gunbot_mcp.gunbot.records import Book
from gunbot_mcp.tickets.content import seen_book
from gunbot_mcp.tickets.distances import away, met, nearest, percent_of
from gunbot_mcp.tickets.ticket import Ticket

Shape = tuple[str, Mapping[str, float | str], "str | Sequence[Shape]"]
"""An SVG element: its name, its attributes, and its text or what is inside it."""

_WIDTH, _TOP, _ROW, _NOTED = 340, 10, 22, 37
_LEAST_HEIGHT = 112
_AXIS, _LABELS = 26, 74
_SVG = "http://www.w3.org/2000/svg"
_DASHES = {"stop": "5 4", "was": "2 4"}
_LEAST_SPAN = Decimal("0.005")
_SAME = Decimal("0.0005")
"""A market that has moved by less than this part is drawn where it is now, and nowhere else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One price. `kind` is bid, ask, was (the market when proposed), limit, stop or price; `note` its distance."""

    price: Decimal
    word: str
    kind: str
    note: str = ""

    @property
    def text(self) -> str:
        return f"{self.word} {grouped(self.price)}"


def marks_of(intent: Intent, book: Book, before: Book | None = None) -> tuple[Mark, ...]:
    """Return every price worth drawing, highest first; `before` is the market that the order was proposed in."""
    found = [*_market(book), *_moved(intent, book, before), *_own(intent, book)]
    return tuple(sorted(found, key=lambda mark: -mark.price))


def as_svg(shape: Shape) -> str:
    """Return the drawing as SVG text, every word in it escaped."""
    name, attributes, inside = shape
    space = f' xmlns="{_SVG}"' if name == "svg" else ""
    facts = "".join(f' {key}="{escape(str(value))}"' for key, value in attributes.items())
    within = escape(inside) if isinstance(inside, str) else "".join(map(as_svg, inside))
    return f"<{name}{space}{facts}>{within}</{name}>"


def ladder(intent: Intent, book: Book, before: Book | None = None, *, moved: bool = False) -> Shape | None:
    """Return the drawing, or None where there is no market to draw. `moved`: the checks no longer let it be sent."""
    if book.bid is None and book.ask is None:
        return None
    return _draw(marks_of(intent, book, before), moved=moved)


def seen_ladder(ticket: Ticket) -> Shape | None:
    """Return the drawing of the market that the order was proposed in."""
    book = seen_book(ticket)
    return None if book is None else ladder(ticket.order.intent, book)


def _market(book: Book) -> Iterator[Mark]:
    if book.ask is not None:
        yield Mark(price=book.ask, word="Ask", kind="ask")
    if book.bid is not None:
        yield Mark(price=book.bid, word="Bid", kind="bid")


def _moved(intent: Intent, book: Book, before: Book | None) -> Iterator[Mark]:
    if isinstance(intent, Cancel) or before is None or (before.bid is None and before.ask is None):
        return
    now, side = met(side_of(intent), book)
    then, was = met(side_of(intent), before)
    if side == was and abs(then - now) > now * _SAME:
        how = f"it {'rose' if now > then else 'fell'} by {percent_of(abs(now - then), then)} since"
        yield Mark(price=then, word=f"{was.capitalize()} when proposed", kind="was", note=how)


def _own(intent: Intent, book: Book) -> Iterator[Mark]:
    if isinstance(intent, Cancel):
        note = away(intent.price, *nearest(intent.price, book))
        yield Mark(price=intent.price, word="The order", kind="limit", note=note)
        return
    near = met(side_of(intent), book)
    legs = legs_of(intent)
    for number, leg in enumerate(legs, 1):
        yield from _leg(leg, f"{number}. " if len(legs) > 1 else "", *near)
    if isinstance(intent, Place):
        for word, price in (("Its price", intent.reference), ("Its stop", intent.trigger)):
            if price is not None:
                yield Mark(price=price, word=word, kind="price", note=away(price, *near))


def _leg(leg: Leg, number: str, near: Decimal, side: str) -> Iterator[Mark]:
    if leg.trail is not None:
        note = f"{percent_of(leg.trail, near)} of the {side}"
        yield Mark(price=near, word=f"{number}Trails by {grouped(leg.trail)} from", kind="stop", note=note)
    if leg.stop is not None:
        sleeps = f", then limit {grouped(leg.stop)}" if leg.limit == leg.stop else ""
        yield Mark(price=leg.stop, word=f"{number}Stop", kind="stop", note=f"{away(leg.stop, near, side)}{sleeps}")
    if leg.limit is not None and leg.limit != leg.stop:
        after = f"{number}Limit after the stop" if leg.stop is not None else f"{number}Limit"
        yield Mark(price=leg.limit, word=after, kind="limit", note=away(leg.limit, near, side))
    if leg == Leg():
        yield Mark(price=near, word=f"{number}Fills near", kind="limit", note=f"the {side}, at the market")


def _draw(marks: Sequence[Mark], *, moved: bool) -> Shape:
    height = max(_LEAST_HEIGHT, 2 * _TOP + sum(map(_tall, marks)))
    at = _places(marks, height)
    words = ". ".join(f"{mark.text}{f', {mark.note}' if mark.note else ''}" for mark in marks)
    facts = {
        "class": "ladder moved" if moved else "ladder",
        "role": "img",
        "viewBox": f"0 0 {_WIDTH} {height}",
        "aria-label": f"Prices to scale, highest first. {words}.",
    }
    axis = _path(f"M{_AXIS} {_TOP}V{height - _TOP}", **{"class": "axis", "stroke-opacity": 0.35})
    return "svg", facts, [axis, _spread(marks, at), *map(_one, marks, at, _rows(marks, at, height))]


def _places(marks: Sequence[Mark], height: int) -> list[float]:
    """Return where each price lies on the axis, highest first and to scale: a market alone is not spread over all."""
    high, low = marks[0].price, marks[-1].price
    room = height - 5 * _TOP
    span = max(high - low, high * _LEAST_SPAN)
    top = high + (span - (high - low)) / 2
    return [round(float(2 * _TOP + room * (top - mark.price) / span), 1) for mark in marks]


def _tall(mark: Mark) -> int:
    return _NOTED if mark.note else _ROW


def _rows(marks: Sequence[Mark], at: Sequence[float], height: int) -> list[float]:
    """Return where the labels stand: as near to their prices as they can without covering each other."""
    rows: list[float] = []
    least = float(_TOP)
    for mark, place in zip(marks, at, strict=True):
        rows.append(max(place, least))
        least = rows[-1] + _tall(mark)
    most = float(height - _TOP + _ROW // 2)
    for index in range(len(rows) - 1, -1, -1):
        most -= _tall(marks[index])
        rows[index] = round(min(rows[index], most), 1)
        most = rows[index]
    return rows


def _spread(marks: Sequence[Mark], at: Sequence[float]) -> Shape:
    inside = [y for mark, y in zip(marks, at, strict=True) if mark.kind in {"bid", "ask"}]
    tall = round(max(2.0, max(inside) - min(inside)), 1)
    facts = {"x": _AXIS - 8, "y": min(inside), "width": 16, "height": tall}
    return "rect", {**facts, "class": "spread", "fill": "currentColor", "fill-opacity": 0.18}, ""


def _one(mark: Mark, y: float, row: float) -> Shape:
    own = mark.kind in {"limit", "stop", "price"}
    half, thick = (16, 3) if own else (8, 1.5)
    dashes = _DASHES.get(mark.kind)
    tick = _path(f"M{_AXIS - half} {y}H{_AXIS + half}", **{"stroke-width": thick} | _if(dashes, "stroke-dasharray"))
    leader = _path(f"M{_AXIS + half} {y}L{_LABELS - 6} {row}", **{"stroke-width": 1, "stroke-opacity": 0.5})
    drawn = [tick, leader, _text(mark.text, row + 4, **{"font-size": 15} | _if(650 if own else None, "font-weight"))]
    if mark.note:
        drawn.append(_text(mark.note, row + 18, **{"class": "far", "font-size": 13, "fill-opacity": 0.75}))
    return "g", {"class": mark.kind}, drawn


def _path(line: str, **facts: float | str) -> Shape:
    return "path", {"d": line, "fill": "none", "stroke": "currentColor", **facts}, ""


def _text(words: str, y: float, **facts: float | str) -> Shape:
    return "text", {"x": _LABELS, "y": round(y, 1), "fill": "currentColor", **facts}, words


def _if(value: float | str | None, name: str) -> dict[str, float | str]:
    return {} if value is None else {name: value}
