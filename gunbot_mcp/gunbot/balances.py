"""What Gunbot says of balances, parsed tolerantly: an amount is read, or shown as it came; none vanishes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from gunbot_mcp.domain import to_decimal
from gunbot_mcp.errors import GatewayInvalidResponse
from gunbot_mcp.gunbot.ids import exact

_BALANCE_FIELDS = frozenset({"Exchange", "Asset"})
_AMOUNTS = ("Available Qty", "On Order")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    exchange: str
    asset: str
    available: Decimal | None
    on_order: Decimal | None
    others: Mapping[str, Any] = field(default_factory=dict[str, Any])


def balances(body: object) -> list[Balance]:
    """Return `[{"Asset", "Exchange", "Available Qty", "On Order"}]`, amounts as Decimals, other fields as they are.

    An amount that cannot be read stays among the other fields, under Gunbot's name for it.

    Raises:
        GatewayInvalidResponse: the answer is not a list of objects.
    """
    if not isinstance(body, list) or not all(isinstance(item, dict) for item in cast("list[Any]", body)):
        raise GatewayInvalidResponse("Gunbot's answer has no list of balances", "check that the url is Gunbot's")
    return [
        Balance(
            exchange=str(item.get("Exchange") or ""),
            asset=str(item.get("Asset") or ""),
            available=_amount(item.get("Available Qty")),
            on_order=_amount(item.get("On Order")),
            others={
                name: exact(name, value)
                for name, value in item.items()
                if name not in _BALANCE_FIELDS and not (name in _AMOUNTS and _is_read(value))
            },
        )
        for item in cast("list[dict[str, Any]]", body)
    ]


def _amount(value: object) -> Decimal | None:
    """Return an amount, also where its thousands are grouped: `1,234.50`."""
    if isinstance(value, str) and _GROUPED.fullmatch(value.strip()):
        return to_decimal(value.replace(",", ""))
    return to_decimal(value)


def _is_read(value: object) -> bool:
    return value is None or _amount(value) is not None
