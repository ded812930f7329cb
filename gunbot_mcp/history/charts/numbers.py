"""Amounts as charts write them: cents where people count in cents, no digit that means nothing."""

from decimal import ROUND_HALF_EVEN, Decimal

from gunbot_mcp.domain import CENTS, EXACT, plain_text

_EIGHT = Decimal(1).scaleb(-8)
_CENT = Decimal("0.01")


def amount_text(amount: Decimal, asset: str, *, signed: bool = False) -> str:
    """Return an amount with two decimals for what is counted in cents, else at most eight; never 0 for what is not.

    >>> amount_text(Decimal("18.1368"), "USDT", signed=True)
    '+18.14'
    """
    places = _CENT if asset in CENTS else _EIGHT
    shown = amount.quantize(places, rounding=ROUND_HALF_EVEN, context=EXACT)
    if not shown and amount:
        shown = amount
    text = format(shown, "f") if asset in CENTS and shown.same_quantum(_CENT) else plain_text(shown)
    return f"+{text}" if signed and amount > 0 else text
