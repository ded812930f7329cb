"""Names of pairs against what an exchange has: which name somebody meant who wrote another one. Pure.

Gunbot writes the paying asset first (`USDT-BTC`), the reverse of the market's habit, so people and models write
`BTC-USDT`, `BTCUSDT`, `usdt_btc`. Its list of pairs is one undocumented answer: a name that it lacks may still exist,
but one that it has in another spelling is the one that was meant.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gunbot_mcp.domain import Pair

_HEDGES = ("LONG", "SHORT")
_DOLLARS = ("USDT", "USDC", "USD", "FDUSD", "TUSD", "BUSD", "DAI", "EUR", "GBP")


@dataclass(frozen=True, slots=True)
class Known:
    """What a list says of a name: `there`, or which names of it were meant (`right`), or which are near (`near`)."""

    there: bool
    right: str | None = None
    near: tuple[str, ...] = ()


def look_up(pair: str, known: Sequence[str]) -> Known:
    """Return what an exchange's list of pairs says of a name.

    `right` is the same pair in another spelling: other letters, another separator, or the assets the other way round,
    with the same `-LONG` or `-SHORT`. `near` is the pair's other sides, which are other markets: nobody may guess them.
    """
    if pair in known:
        return Known(there=True)
    asked = _letters(pair)
    # Its own order of assets first: a list can have both, and then the other letters are what differs.
    right = next((name for name in known if _letters(name) == asked), None)
    right = right or next((name for name in known if asked in _spellings(name)), None)
    if right is not None:
        return Known(there=False, right=right)
    sideless = set(_spellings(_without_side(pair)))
    near = tuple(name for name in known if sideless & set(_spellings(_without_side(name))))
    return Known(there=False, near=near[:4])


def looks_reversed(pair: str) -> str | None:
    """Return the name the other way round, if this one pays with something that is bought with dollars: `BTC-USDT`."""
    parsed = Pair.parse(pair)
    if parsed is None or parsed.traded not in _DOLLARS or parsed.paying in _DOLLARS:
        return None
    return "-".join((parsed.traded, parsed.paying, *((parsed.hedge,) if parsed.hedge else ())))


def _letters(name: str) -> str:
    return "".join(letter for letter in name.upper() if letter.isalnum())


def _spellings(name: str) -> Iterator[str]:
    """Yield a listed name's letters, and those of its reverse."""
    yield _letters(name)
    parts = name.split("-")
    if len(parts) > 1:
        yield _letters("".join((parts[1], parts[0], *parts[2:])))


def _without_side(name: str) -> str:
    head, _, side = name.rpartition("-")
    return head if side.upper() in _HEDGES else name
