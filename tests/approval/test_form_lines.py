"""Some clients drop the ends of lines: a form must read as sentences in all of them, whatever the order is."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.approval.forms import form_for
from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.config import Limits
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import clean
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.sentences import sentence
from gunbot_mcp.tickets.ticket import Ticket

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
CALLS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "sample_calls.json").read_text(encoding="utf-8")
)
ORDERS = {
    call["tool"]: Order.of(BY_NAME[call["tool"]], parse_arguments(BY_NAME[call["tool"]].args, call["arguments"]))
    for call in CALLS
    if BY_NAME[call["tool"]].intent is not None
}
BOOKS = ({"bid": "49999.5", "ask": "50000.5"}, {"bid": "49999.5"}, {"ask": "50000.5"}, None)
SHOWN = st.text(max_size=60).map(lambda text: clean(text, 60))
"""Text as it gets into a ticket: without what could end a line."""


def _lines(order: Order, **fields: Any) -> list[str]:  # noqa: ANN401 - any field
    facts: dict[str, Any] = {
        "id": "t1",
        "instance": "gunbot",
        "live": True,
        "url": "http://gunbot.invalid",
        "purpose": None,
        "summary": sentence(order.intent),
        "notional": Decimal("50.05"),
        "asset": "USDT",
        "quote": BOOKS[0],
        "checks": (),
        "warnings": (),
        "client": "Claude",
        "fingerprint": "f",
        "repeat_of": None,
        "created_at": NOON,
        "expires_at": NOON + timedelta(seconds=120),
        "boot": "boot",
        "deadline": 1.0,
        "nonce_hash": "0",
    }
    return form_for(Ticket(order=order, **{**facts, **fields}), "nonce", Limits()).message.split("\n")


def _is_a_sentence(line: str) -> bool:
    return len(line) > 1 and line == line.strip() and line[-1] in ".!?…"


def test_there_is_an_order_of_every_kind() -> None:
    assert set(ORDERS) == {name for name, endpoint in BY_NAME.items() if endpoint.intent is not None}


@pytest.mark.parametrize("tool", ORDERS)
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("notional", [None, Decimal(50), Decimal(900)])
def test_every_line_about_every_kind_of_order_is_a_sentence(tool: str, *, live: bool, notional: Decimal | None) -> None:
    for book in BOOKS:
        lines = _lines(ORDERS[tool], live=live, notional=notional, quote=book)
        assert [line for line in lines if not _is_a_sentence(line)] == []


@given(summary=SHOWN, warnings=st.lists(SHOWN, max_size=4), client=SHOWN, instance=SHOWN)
def test_whatever_stands_in_a_ticket_every_line_is_a_sentence(
    summary: str, warnings: list[str], client: str, instance: str
) -> None:
    order = ORDERS["buy_limit"]
    lines = _lines(order, summary=f"Buy {summary}", warnings=tuple(warnings), client=client, instance=instance)

    assert [line for line in lines if not _is_a_sentence(line)] == []
    assert sum(line.startswith("Warning: ") for line in lines) == len(warnings)
