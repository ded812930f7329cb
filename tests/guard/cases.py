"""Orders as the checks see them: a small one that passes everything, and any fact about it changed."""

from decimal import Decimal
from typing import Any

import pytest

from gunbot_mcp.config import Limits, Mode
from gunbot_mcp.domain import Intent, Leg, Place, Side
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import Refused
from gunbot_mcp.exchanges import CapabilityMatrix
from gunbot_mcp.guard.case import Case
from gunbot_mcp.guard.checks import check_all
from gunbot_mcp.gunbot.records import Book

BOOK = Book(bid=Decimal(49990), ask=Decimal(50000))


def case(intent: Intent | None = None, *, tool: str = "buy_limit", **fields: Any) -> Case:  # noqa: ANN401 - any field
    facts: dict[str, Any] = {
        "tool": tool,
        "intent": intent or buy(),
        "needs": BY_NAME[tool].needs,
        "mode": Mode.APPROVE,
        "live": True,
        "limits": Limits(),
        "matrix": CapabilityMatrix(),
        "book": BOOK,
        "pairs": ((intent or buy()).pair,),
    }
    return Case(**{**facts, **fields})


def buy(amount: str = "0.001", price: str = "49900", **fields: Any) -> Place:  # noqa: ANN401 - any field
    facts: dict[str, Any] = {
        "side": Side.BUY,
        "exchange": "binance",
        "pair": "USDT-BTC",
        "amount": Decimal(amount),
        "legs": (Leg(limit=Decimal(price)),),
    }
    return Place(**{**facts, **fields})


def order(tool: str, **arguments: object) -> Case:
    """The case of a tool's own arguments, as the page writes them."""
    endpoint = BY_NAME[tool]
    args = endpoint.args.model_validate({"exchange": "binance", "pair": "USDT-BTC", **arguments})
    assert endpoint.intent is not None
    return case(endpoint.intent(args), tool=tool)


def limits(**fields: object) -> Limits:
    return Limits.model_validate(fields)


def refusal(found: Case) -> str:
    with pytest.raises(Refused) as refused:
        check_all(found)
    assert refused.value.message
    assert refused.value.hint
    assert not refused.value.retryable
    return refused.value.code
