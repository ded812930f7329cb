"""Numbers of metrics: sums are exact, and what divides is rounded once, at the end, to twelve digits, half-even."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from gunbot_mcp.history.lots import UNIT

_QUOTIENT = Context(prec=12, rounding=ROUND_HALF_EVEN)
_WIDE = Context(prec=80, rounding=ROUND_HALF_EVEN)


def exactly(units: int) -> Decimal:
    """Return a number in units of 1e-18 as a Decimal, with all its digits and no zeros at its end."""
    return plain(_WIDE.scaleb(Decimal(units), -18))


def plain(number: Decimal) -> Decimal:
    """Return the same number without zeros at its end, and without an exponent."""
    short = _WIDE.normalize(number)
    return _WIDE.quantize(short, Decimal(1)) if short == short.to_integral_value() else short


def units(number: Decimal) -> int:
    """Return a sum of the mirror's decimals in units of 1e-18."""
    return int(_WIDE.scaleb(number, 18))


def quotient(number: Fraction) -> Decimal:
    """Return a fraction with twelve significant digits."""
    return plain(_QUOTIENT.plus(_WIDE.divide(Decimal(number.numerator), Decimal(number.denominator))))


def rounded(number: Decimal) -> Decimal:
    """Return a number that was computed with more digits, with twelve."""
    return plain(_QUOTIENT.plus(number))


def root(number: Fraction) -> Decimal:
    """Return the square root of a fraction that is not negative, with 80 digits."""
    return _WIDE.sqrt(_WIDE.divide(Decimal(number.numerator), Decimal(number.denominator)))


def times_root(factor: Fraction, square: Fraction) -> Decimal:
    """Return `factor · √square`, with twelve digits."""
    wide = _WIDE.divide(Decimal(factor.numerator), Decimal(factor.denominator))
    return rounded(_WIDE.multiply(wide, root(square)))


def part(amount: int, of: int) -> Fraction:
    return Fraction(amount, of)


def whole(amount: int) -> Fraction:
    """Return units of 1e-18 as a fraction of one."""
    return Fraction(amount, UNIT)
