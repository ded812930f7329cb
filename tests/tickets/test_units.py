"""What an amount says to a human: some of the asset, or contracts with what they hold."""

from decimal import Decimal

import pytest

from gunbot_mcp.tickets.units import size_text


@pytest.mark.parametrize(
    ("amount", "size", "said"),
    [
        ("0.001", None, "0.001 DOGE"),
        ("400", "1000", "400 contracts of 1,000 DOGE"),
        ("1", "0.010", "1 contract of 0.01 DOGE"),
        ("2.0", "1234567.5", "2 contracts of 1,234,567.5 DOGE"),
    ],
)
def test_an_amount_says_what_it_counts(amount: str, size: str | None, said: str) -> None:
    assert size_text(Decimal(amount), "DOGE", None if size is None else Decimal(size)) == said
