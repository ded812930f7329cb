"""The checks of what an order's name means: whether the pair is known, and what its amount counts. Pure.

They run before the limits are looked at: a wrong name makes every number of an order wrong, and nobody should be told
to raise a limit for it.
"""

from gunbot_mcp.domain import Cancel, Pair
from gunbot_mcp.errors import Hint, LimitExceeded, PairNotAllowed, clean
from gunbot_mcp.exchanges import EXCHANGES, Amounts, amounts_of, base_name
from gunbot_mcp.guard.case import Case
from gunbot_mcp.gunbot.pairs import look_up, looks_reversed


def check_known(case: Case) -> tuple[str, ...]:
    """Refuse a name that the exchange has in another spelling; warn of one that it does not have, or may not have.

    The list is one undocumented answer, so what it lacks altogether may exist all the same.
    """
    intent = case.intent
    if case.pairs is None:
        silent = isinstance(intent, Cancel) or not case.live
        return () if silent else (f"Gunbot does not say which pairs {intent.exchange} has: check the name.",)
    found = look_up(intent.pair, case.pairs)
    if found.there:
        return ()
    if found.right is not None:
        right = clean(found.right, 64)
        raise PairNotAllowed(
            f"{intent.exchange} has no pair {intent.pair}: Gunbot writes it {right}",
            Hint(
                f"call again with pair = {right!r}; the asset that pays stands first",
                f"let your assistant write it so: {right}; the asset that pays stands first",
            ),
        )
    near = " and ".join(clean(name, 64) for name in found.near)
    return (f"Gunbot's list of {intent.exchange} has no {intent.pair}" + (f"; it has {near}." if near else "."),)


def check_units(case: Case) -> tuple[str, ...]:
    """Refuse an order whose amount counts, or may count, contracts of a size that nobody has told."""
    order = case.trade
    parsed = Pair.parse(order.pair)
    if case.contract_size is not None or parsed is None:  # the worst case of a name that says no asset is refused there
        return ()
    counted, _ = amounts_of(order.exchange, order.pair)
    if counted is Amounts.ASSET:
        known = base_name(order.exchange) in EXCHANGES
        unsure = f"How {order.exchange} counts amounts is not known: the worst case takes them for {parsed.traded}."
        return () if known else (unsure,)
    count = "count contracts" if counted is Amounts.CONTRACTS else "may count contracts (nobody says)"
    key = f"{order.exchange}/{order.pair}"
    raise LimitExceeded(
        f"amounts of {key} {count}, and how much {parsed.traded} one holds is not configured: "
        "what the order can cost is unknown",
        Hint.by_human(
            f'set "{key}" = "SIZE" in [instances.{case.instance or "NAME"}.contracts], the {parsed.traded} '
            'that one contract holds ("1" where amounts count the asset)'
        ),
    )


def name_hint(case: Case) -> str | None:
    """Return what to try instead of raising a limit, where the pair's name looks wrong and no list has it."""
    pair = case.intent.pair
    if case.pairs is not None and pair in case.pairs:
        return None
    other = looks_reversed(pair)
    if other is not None:
        return f"in Gunbot's names the asset that pays stands first: did you mean {other}?"
    return f"Gunbot writes pairs in capitals: did you mean {pair.upper()}?" if pair != pair.upper() else None
