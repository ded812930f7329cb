"""The checks of the caps: one order, the day's orders, their number. Entries and exits have caps of their own. Pure.

A cap that keeps somebody from getting out is a danger, so exits have wider ones, and no hint for an exit advises to
raise what would let more in.
"""

from decimal import Decimal

from gunbot_mcp.domain import Place, Purpose, Side, money
from gunbot_mcp.errors import Hint, LimitExceeded
from gunbot_mcp.guard.case import Case
from gunbot_mcp.guard.naming import name_hint


def check_notional(case: Case) -> tuple[str, ...]:
    worst, exits = case.worst, case.purpose is Purpose.EXIT
    key, caps = ("max_exit", case.limits.max_exit) if exits else ("max_order", case.limits.max_order)
    limit = caps.get(worst.asset)
    if limit is None:
        raise LimitExceeded(
            f"there is no limit for {'exits' if exits else 'orders'} paid in {worst.asset}, so none is allowed",
            name_hint(case) or Hint.by_human(f"set limits.{key}.{worst.asset}"),
        )
    if worst.amount > limit:
        buys = isinstance(case.intent, Place) and case.intent.side is Side.BUY
        could = "could cost" if buys else "is worth up to"
        raise LimitExceeded(
            f"the order {could} {money(worst.amount)} {worst.asset}; "
            f"at most {money(limit)} {worst.asset} per {'exit' if exits else 'order'}",
            name_hint(case) or _raise("make it smaller", key, exits=exits),
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
            name_hint(case) or Hint.by_human(f"set limits.{key}.{worst.asset}"),
        )
    if spent + worst.amount > limit:
        raise LimitExceeded(
            f"today's {'exits' if exits else 'orders'} add up to {money(spent)} {worst.asset}; with this one "
            f"{money(spent + worst.amount)}, at most {money(limit)} a day",
            name_hint(case) or _raise(_TOMORROW, key, exits=exits),
        )
    return ()


_TOMORROW = "wait for the next UTC day"


def _raise(first: str, key: str, *, exits: bool) -> Hint:
    deed = f"raise limits.{key}" + (", which lets nothing more in" if exits else "")
    return Hint(f"{first}, or ask the human to {deed}", f"{first}, or {deed}")


def widen(case: Case, key: str, first: Hint) -> Hint:
    """Return `first`, and for an entry that a human can widen a limit. For an exit that would let more in."""
    return first if case.purpose is Purpose.EXIT else first.then(Hint.by_human(f"widen limits.{key}"))


def check_day_count(case: Case) -> tuple[str, ...]:
    if case.day_count >= case.limits.orders_per_day:
        exits = case.purpose is Purpose.EXIT
        raise LimitExceeded(
            f"{case.day_count} orders were sent today; at most {case.limits.orders_per_day} a day",
            Hint(f"{_TOMORROW}, or a human does it in Gunbot itself", f"{_TOMORROW}, or do it in Gunbot itself")
            if exits
            else _raise(_TOMORROW, "orders_per_day", exits=False),
        )
    return ()
