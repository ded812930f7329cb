"""What was seen of an order, in words, with how sure it is and as of when. See `outcome`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from gunbot_mcp.domain import MOST_ID, grouped
from gunbot_mcp.errors import clean
from gunbot_mcp.tickets.ticket import Certainty, Observation

WHERE: Mapping[str, str] = {
    "open_orders": "open orders",
    "history": "order history",
    "not_open": "no longer among the open orders",
    "human": "a human's word",
}
"""The places where an order can be seen, as answers name them."""


def candidate_line(seen: Observation) -> str:
    """Return one order that could be a ticket's, for the human who settles it."""
    return f"It could be {_orders(seen, ' with ')}{_at_price(seen)}, seen in the {WHERE[seen.where]}{_as_of(seen)}."


def seen_line(seen: Observation) -> str:
    """Return what is known of an order at the exchange, how surely, and as of when."""
    if not seen.sure:
        several = len(seen.order_ids) > 1
        which = f"It could be {_orders(seen, ' or ')}{_at_price(seen)}, seen in the {WHERE[seen.where]}{_as_of(seen)}"
        return f"{which}: {'which of them' if several else 'whether it is'}, only a human can say."
    word = " by a human's word" if seen.certainty is Certainty.HUMAN else ""
    if not seen.order_ids:
        return "There is no such order, by a human's word."
    order = f"{capital(_orders(seen, ' and '))}{_at_price(seen)}"
    if seen.where == "human":
        return f"{order}, by a human's word."
    if seen.seen_at is None:
        # Version 0.1 did not note when it looked, and what it saw may be long ago.
        return (
            f"{order}, seen in the {WHERE[seen.where]}."
            if seen.where != "not_open"
            else f"{order}, {WHERE['not_open']}."
        )
    order = f"{order},{word}," if word else order
    return f"{order} {_state_words(seen)}{_as_of(seen)}."


def _plain(number: Decimal) -> str:
    """Return a number that arrived as a double, as the ticket's own sentence writes them."""
    return grouped(number.normalize())


def _state_words(seen: Observation) -> str:
    part = "" if seen.filled is None else f"{_plain(seen.filled)} of it filled{_average(seen)}"
    match seen.state:
        case "filled":
            amount = "" if seen.filled is None else f", {_plain(seen.filled)}{_average(seen)}"
            return f"filled{amount}{_last_fill(seen)}"
        case "gone":
            return f"is gone; {part}, the rest did not fill" if part else "is gone and did not fill"
        case "partly_filled" if seen.where == "not_open":
            return f"is no longer open{_since(seen)}; {part}, more was not seen up to now"
        case "partly_filled":
            return f"is partly filled: {part}"
        case "open":
            return "is open"
        case _:
            return (
                f"is no longer open{_since(seen)}; no fill was seen up to now"
                if seen.where == "not_open"
                else "was seen"
            )


def _average(seen: Observation) -> str:
    return "" if seen.average is None else f" at {_plain(seen.average)} on average"


def _last_fill(seen: Observation) -> str:
    return "" if seen.filled_at is None else f", last at {_clock(seen.filled_at)}"


def _since(seen: Observation) -> str:
    return "" if seen.since is None else f" since {_clock(seen.since)}"


def _as_of(seen: Observation) -> str:
    return "" if seen.seen_at is None else f", as of {_clock(seen.seen_at)}"


def hour(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def _clock(at: datetime) -> str:
    # With its date: an order is followed for a week.
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _orders(seen: Observation, between: str) -> str:
    # Ids are Gunbot's words, not ours.
    names = [clean(name, MOST_ID) for name in seen.order_ids]
    return f"{'orders' if names[1:] else 'order'} {between.join(names)}"


def _at_price(seen: Observation) -> str:
    return "" if seen.price is None else f" at {_plain(seen.price)}"


def capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
