"""What an order's amount says to a human: some of the traded asset, or contracts that each hold some of it. Pure."""

from decimal import Decimal

from gunbot_mcp.domain import decimal_text, plain_text


def size_text(amount: Decimal, traded: str, contract_size: Decimal | None = None) -> str:
    """Return `0.001 BTC`, or `400 contracts of 1,000 DOGE` where the amount counts contracts of this size."""
    if contract_size is None:
        return f"{decimal_text(amount)} {traded}"
    whole, dot, part = plain_text(contract_size).partition(".")
    noun = "contract" if amount == 1 else "contracts"
    return f"{plain_text(amount)} {noun} of {int(whole):,}{dot}{part} {traded}"
