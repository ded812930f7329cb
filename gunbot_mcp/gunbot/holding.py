"""What core memory tells of each pair beside its open orders: the market's prices, and what is held of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gunbot_mcp.domain import to_decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PairState:
    """`middle` is between bid and ask, in the paying asset; `held` Gunbot's `quoteBalance`, of the traded asset.

    None: not told. Both are as old as Gunbot's last cycle.
    """

    middle: Decimal | None
    held: Decimal | None


def pair_state(memory: Mapping[str, Any]) -> PairState:
    bid, ask = to_decimal(memory.get("Bid")), to_decimal(memory.get("Ask"))
    middle = (bid + ask) / 2 if bid is not None and ask is not None and bid > 0 and ask > 0 else None
    return PairState(middle=middle, held=to_decimal(memory.get("quoteBalance")))
