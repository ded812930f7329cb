"""Names of pairs against what an exchange has: which name somebody meant who wrote another one. Pure.

Gunbot writes the paying asset first (`USDT-BTC`), the reverse of the market's habit, so people and models write
`BTC-USDT`, `BTCUSDT`, `usdt_btc`. Its list of pairs is one undocumented answer: a name that it lacks may still exist,
but one that it has in another spelling is the one that was meant.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from gunbot_mcp.domain import Pair

_NOT_LETTERS = re.compile(r"[\W_]+")
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
    meant = [name for name in known if asked in _spellings(name)]
    # Its own order of assets first: a list can have both, and then the other letters are what differs.
    right = next((name for name in meant if _letters(name) == asked), next(iter(meant), None))
    if right is not None:
        return Known(there=False, right=right)
    sideless = _spellings(_without_side(pair))
    near = (name for name in known if not sideless.isdisjoint(_spellings(_without_side(name))))
    return Known(there=False, near=tuple(islice(near, 4)))


def looks_reversed(pair: str) -> str | None:
    """Return the name the other way round, if this one pays with something that is bought with dollars: `BTC-USDT`."""
    parsed = Pair.parse(pair)
    if parsed is None or parsed.traded not in _DOLLARS or parsed.paying in _DOLLARS:
        return None
    return "-".join((parsed.traded, parsed.paying, *((parsed.hedge,) if parsed.hedge else ())))


def _letters(name: str) -> str:
    return _NOT_LETTERS.sub("", name.upper())


def _spellings(name: str) -> set[str]:
    """Return a listed name's letters, and those of its reverse."""
    first, *rest = name.split("-", 2)
    return {_letters(name), _letters("".join((*rest[:1], first, *rest[1:])))}


def _without_side(name: str) -> str:
    head, _, side = name.rpartition("-")
    return head if side.upper() in _HEDGES else name
