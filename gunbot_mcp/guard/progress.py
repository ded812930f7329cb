"""What has become of an order whose id is known, and what the looks before have to be remembered for. Pure.

The numbers are those of the table of what may be said of an order:

    10   a known id with records: their sum is the amount: filled; less: partly filled. Outranks "still open"
    11   a known id, listed: open, and what is filled of it
    12   a known id, no longer in an array that moved, no record of it: no longer open since T, no fill seen up to T2
    13   as 12, the memory moved on, the key's history holds a later record, and ids link: gone, did not fill
    14   a cancel: still listed after the memory moved on: it was not seen to work; else 10, 12 and 13
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from gunbot_mcp.domain import EXACT, to_decimal
from gunbot_mcp.guard.evidence import HISTORY_PAGE, Baseline, Fills, Look, digits_of, fills_of, identity, is_amount
from gunbot_mcp.tickets.content import instant_of, instant_text
from gunbot_mcp.tickets.ticket import Certainty, Observation

MOVED_ON = 2
"""How often the memory has moved since the POST ended once it shows what came after it: the first change may show a
moment before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """What looks have to remember of the looks before. `memory` is the mark at the last of them that counted.

    `moves` counts how often the memory moved since the POST ended, up to what is needed. `earlier` are ids that fitted
    at some look. `since` is when the known order was first missed, on our clock, `since_millis` an upper bound of that
    on Gunbot's; `since_moves` is `moves` then. `linked`: on this key, records carry the ids of open orders.
    """

    memory: str | None = None
    moves: int = 0
    earlier: frozenset[str] = frozenset()
    since: datetime | None = None
    since_millis: int | None = None
    since_moves: int = 0
    linked: bool = False

    @property
    def moved_on(self) -> bool:
        return self.moves >= MOVED_ON

    @property
    def moved_on_since(self) -> bool:
        """Whether the memory moved on after the POST, and moved once more since the order was missed."""
        return self.moved_on and self.since is not None and self.moves > self.since_moves

    def as_dict(self) -> dict[str, Any]:
        return {
            "memory": self.memory,
            "moves": self.moves,
            "earlier": sorted(self.earlier),
            "since": None if self.since is None else instant_text(self.since),
            "since_millis": self.since_millis,
            "since_moves": self.since_moves,
            "linked": self.linked,
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Trail":
        since = found.get("since")
        return cls(
            memory=found.get("memory"),
            moves=int(found.get("moves", 0)),
            earlier=frozenset(map(str, found.get("earlier", ()))),
            since=None if since is None else instant_of(since),
            since_millis=found.get("since_millis"),
            since_moves=int(found.get("since_moves", 0)),
            linked=bool(found.get("linked", False)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An order whose ids are known. `amount` is all of it (None: not known), `listed`: it was among the open orders.

    `shown` says that `amount` is what Gunbot itself showed, so that nothing is cut from it any more. `rest`: it may
    also be what was left of the order when the baseline was read; nobody knows which of the two Gunbot shows.
    """

    ids: tuple[str, ...]
    pair: str
    amount: Decimal | None
    shown: bool
    listed: bool
    certainty: Certainty
    rest: bool = False
    before: Observation | None = None


def advance(trail: Trail, look: Look, baseline: Baseline, known: Known | None) -> Trail:
    """Return the trail after this look. What cannot be read changes nothing (rule 1)."""
    if look.orders is None or look.memory is None:
        return trail
    moves = trail.moves
    listed = known is not None and any(order.id in known.ids for order in look.orders)
    missed = known is not None and known.listed and not listed
    # Counting goes on only while somebody needs it, so that a chain does not grow with every cycle.
    wanted = not trail.moved_on or (missed and trail.moves <= trail.since_moves)
    last = trail.memory or baseline.memory
    memory = last
    if last is None:
        memory = look.memory
    elif look.memory != last and (wanted or (missed and trail.since is None)):
        memory, moves = look.memory, moves + 1
    after = replace(trail, memory=memory, moves=moves, linked=trail.linked or _links(look, baseline, known))
    if missed and trail.since is None:
        return replace(after, since=look.at, since_millis=look.millis, since_moves=moves)
    if listed and trail.since is not None:
        return replace(after, since=None, since_millis=None, since_moves=0)
    return after


def _links(look: Look, baseline: Baseline, known: Known | None) -> bool:
    """Return whether a record carries the id of an order that was open: then ids of both sources are the same ids."""
    ids = set(baseline.open_ids or ()) | {order.id for order in look.orders or ()}
    if known is not None and known.listed:
        ids |= set(known.ids)
    ids.discard("")
    return not ids.isdisjoint(fills_of(look.records, ""))


def follow(known: Known, look: Look, baseline: Baseline, trail: Trail) -> Observation | None:
    """Return what this look says of a known order (`trail` as it is after it), or None: nothing new."""
    filled, average, last = _filled(known, fills_of(look.records, known.pair))
    before = known.before
    said = Observation(
        order_ids=known.ids,
        where="history",
        state="partly_filled",
        certainty=known.certainty,
        seen_at=look.at,
        price=None if before is None else before.price,
        order_type=None if before is None else before.order_type,
        amount=None if before is None else before.amount,
        filled=filled,
        average=average,
        filled_at=last,
    )
    if filled is not None:
        whole = _is_whole(known, filled, look, baseline)
        if whole is None:
            # Perhaps all of it: then neither "filled" nor "partly" is known.
            return replace(said, state=None)
        if whole:
            return replace(said, state="filled")
    if look.orders is not None:
        if any(order.id in known.ids for order in look.orders):
            return replace(said, where="open_orders", state="open" if filled is None else "partly_filled")
        if known.listed and trail.since is not None:
            gone = _is_gone(known, look, baseline, trail)
            state = "gone" if gone else None if filled is None else "partly_filled"
            return replace(said, where="not_open", state=state, since=trail.since)
    return None if filled is None else said


def _filled(known: Known, fills: Mapping[str, Fills]) -> tuple[Decimal | None, Decimal | None, datetime | None]:
    """Return how much of it filled, at what average, and when last; what was seen once stays seen.

    The history comes as its newest page, from which older records drop off.
    """
    before = known.before
    kept = (None, None, None) if before is None else (before.filled, before.average, before.filled_at)
    own = [fills[name] for name in known.ids if name in fills]
    if not own:
        return kept
    total = sum((one.amount for one in own), Decimal(0))
    if kept[0] is not None and kept[0] > total:
        return kept
    paid = sum((EXACT.multiply(one.average, one.amount) for one in own), Decimal(0))
    average = own[0].average if len(own) == 1 else +(paid / total)
    newest = max(own, key=lambda one: one.last)
    return total, average, newest.last_at


def _is_whole(known: Known, filled: Decimal, look: Look, baseline: Baseline) -> bool | None:
    """Return whether all of it has filled; None: that cannot be told."""
    if known.amount is None:
        return None
    digits = 18 if known.shown else (baseline.digits | digits_of(None, look.orders or (), look.records)).amount
    reached = filled >= known.amount or is_amount(filled, known.amount, digits)
    if not reached or not known.rest:
        return reached
    before = _filled_before(known, filled, look, baseline)
    return True if before is not None and filled >= known.amount + before else None


def _filled_before(known: Known, filled: Decimal, look: Look, baseline: Baseline) -> Decimal | None:
    """Return the most of it that had filled when the baseline was read; None: some records are off the page."""
    records = [one for one in look.records if identity(one.get("id")) in known.ids]
    if sum((one.amount for one in fills_of(records, known.pair).values()), Decimal(0)) < filled:
        return None
    if baseline.t0 is not None:
        records = [one for one in records if (to_decimal(one.get("time")) or 0) <= baseline.t0]
    return sum((one.amount for one in fills_of(records, known.pair).values()), Decimal(0))


def _is_gone(known: Known, look: Look, baseline: Baseline, trail: Trail) -> bool:
    """Return whether the history would show a fill if there were one (rule 13).

    Any fill of the order came before the memory missed it. A record that is later than that shows that the history is
    further than that; and ids link, so that the fill would be seen as this order's.
    """
    if not (trail.linked and trail.moved_on_since) or trail.since_millis is None:
        return False
    if len(look.records) >= HISTORY_PAGE and (known.rest or not _reaches_back(look, baseline)):
        return False
    return any(one.last > trail.since_millis for one in fills_of(look.records, "").values())


def _reaches_back(look: Look, baseline: Baseline) -> bool:
    """Return whether the newest page of the history holds all that came after the order was sent.

    On a busy pair, the record of a fill may have dropped off it before anybody looked.
    """
    times = [one.first for one in fills_of(look.records, "").values()]
    return baseline.t0 is not None and bool(times) and min(times) <= baseline.t0
