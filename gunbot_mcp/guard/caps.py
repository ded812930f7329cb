"""The checks of the caps: one order, the day's orders, their number. Entries and exits have caps of their own. Pure.

A cap that keeps somebody from getting out is a danger, so exits have wider ones, and no hint for an exit advises to
raise what would let more in.
"""

from decimal import Decimal

from gunbot_mcp.domain import Place, Purpose, Side, money
from gunbot_mcp.errors import LimitExceeded
from gunbot_mcp.guard.case import Case
from gunbot_mcp.guard.naming import name_hint


def check_notional(case: Case) -> tuple[str, ...]:
    worst, exits = case.worst, case.purpose is Purpose.EXIT
    key, caps = ("max_exit", case.limits.max_exit) if exits else ("max_order", case.limits.max_order)
    limit = caps.get(worst.asset)
    if limit is None:
        raise LimitExceeded(
            f"there is no limit for {'exits' if exits else 'orders'} paid in {worst.asset}, so none is allowed",
            name_hint(case) or f"a human can set limits.{key}.{worst.asset}",
        )
    if worst.amount > limit:
        buys = isinstance(case.intent, Place) and case.intent.side is Side.BUY
        could = "could cost" if buys else "is worth up to"
        raise LimitExceeded(
            f"the order {could} {money(worst.amount)} {worst.asset}; "
            f"at most {money(limit)} {worst.asset} per {'exit' if exits else 'order'}",
            name_hint(case) or f"make it smaller, or {_raise(key, exits=exits)}",
        )
    return ()


def check_day_notional(case: Case) -> tuple[str, ...]:
    worst, exits = case.worst, case.purpose is Purpose.EXIT
    key, caps = ("max_exit_day", case.limits.max_exit_day) if exits else ("max_day", case.limits.max_day)
    limit = caps.get(worst.asset)
    spent = case.day_notional.get(worst.asset, Decimal(0))
    if limit is None:
        raise LimitExceeded(
            f"there is no daily limit for {'exits paid in ' if exits else ''}{worst.asset}, so nothing is allowed",
            name_hint(case) or f"a human can set limits.{key}.{worst.asset}",
        )
    if spent + worst.amount > limit:
        raise LimitExceeded(
            f"today's {'exits' if exits else 'orders'} add up to {money(spent)} {worst.asset}; with this one "
            f"{money(spent + worst.amount)}, at most {money(limit)} a day",
            name_hint(case) or f"wait for the next UTC day, or {_raise(key, exits=exits)}",
        )
    return ()


def _raise(key: str, *, exits: bool) -> str:
    return f"ask the human to raise limits.{key}" + (", which lets nothing more in" if exits else "")


def widen(case: Case, key: str, first: str) -> str:
    """Return a hint: `first`, and for an entry that a human can widen a limit. For an exit that would let more in."""
    return first if case.purpose is Purpose.EXIT else f"{first}; a human can widen limits.{key}"


def check_day_count(case: Case) -> tuple[str, ...]:
    if case.day_count >= case.limits.orders_per_day:
        exits = case.purpose is Purpose.EXIT
        raise LimitExceeded(
            f"{case.day_count} orders were sent today; at most {case.limits.orders_per_day} a day",
            "wait for the next UTC day, or "
            + ("a human does it in Gunbot itself" if exits else "ask the human to raise limits.orders_per_day"),
            human="wait for the next UTC day, or "
            + ("do it in Gunbot itself" if exits else "raise limits.orders_per_day"),
        )
    return ()
