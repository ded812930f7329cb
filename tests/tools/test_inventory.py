"""All tools are one kind of row, behind one gate: what is listed is what can be called."""

import contextlib
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from gunbot_mcp.config import Mode
from gunbot_mcp.domain import Effect
from gunbot_mcp.endpoints import ENDPOINTS
from gunbot_mcp.errors import ReadOnly, UnknownTool
from gunbot_mcp.tools.inventory import Access, Inventory, endpoint_tool, inventory
from gunbot_mcp.tools.tool import AnyTool, Audience, Tool

EVERY = tuple(inventory())
ACCESSES = tuple(Access(mode=mode, card=card) for mode in Mode for card in (False, True))


def _named(tool: AnyTool) -> str:
    return tool.name


def _said(access: Access) -> str:
    return f"{access.mode.value}, {'buttons' if access.card else 'no buttons'}"


def test_every_name_belongs_to_one_tool() -> None:
    with pytest.raises(ValueError, match="get_quote"):
        Inventory((*EVERY, *(tool for tool in EVERY if tool.name == "get_quote")))


def test_the_table_comes_first_in_its_order_and_then_the_companions() -> None:
    assert [tool.name for tool in EVERY] == [
        *(endpoint.name for endpoint in ENDPOINTS),
        *("get_quote", "get_balances", "list_open_orders", "list_exchanges", "list_pairs", "get_limits"),
        *("get_ticket", "list_tickets", "withdraw_ticket", "decide_ticket"),
        *("analyze_orders", "query_orders", "chart_orders"),
    ]


@pytest.mark.parametrize("tool", EVERY, ids=_named)
def test_every_tool_is_described(tool: AnyTool) -> None:
    assert tool.about.endswith(".")
    assert tool.title
    assert "_" not in tool.title
    assert tool.title.lower().replace(" ", "_") == tool.name


def test_no_tool_can_be_made_without_its_safety_fields() -> None:
    facts: dict[str, Any] = {field.name: getattr(EVERY[0], field.name) for field in fields(Tool)}
    for name in ("effect", "audience"):
        with pytest.raises(TypeError, match=name):
            Tool(**{key: value for key, value in facts.items() if key != name})


def test_a_tool_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        EVERY[0].effect = Effect.READ  # pyright: ignore[reportAttributeAccessIssue] - that is what is tried


@pytest.mark.parametrize("access", ACCESSES, ids=_said)
def test_what_is_listed_is_what_can_be_called(access: Access) -> None:
    callable_names: list[str] = []
    for tool in EVERY:
        with contextlib.suppress(UnknownTool, ReadOnly):
            callable_names.append(inventory().admit(tool.name, access).name)

    assert [tool.name for tool in inventory().listed(access)] == callable_names


@pytest.mark.parametrize("access", ACCESSES, ids=_said)
def test_only_reads_pass_in_read_only_mode(access: Access) -> None:
    listed = inventory().listed(access)

    assert listed
    assert all(tool.effect is Effect.READ for tool in listed) is (access.mode is Mode.READ_ONLY)


def test_the_cards_tool_is_there_only_for_a_card_with_buttons() -> None:
    approve = Access(mode=Mode.APPROVE, card=False)

    with pytest.raises(UnknownTool):
        inventory().admit("decide_ticket", approve)
    with pytest.raises(UnknownTool) as far:
        inventory().admit("decide_tickets", approve)
    # Not even as a suggestion.
    assert "decide_ticket" not in far.value.hint
    assert inventory().admit("decide_ticket", Access(mode=Mode.APPROVE, card=True)).audience is Audience.CARD


def test_audience_comes_before_mode() -> None:
    with pytest.raises(UnknownTool):
        inventory().admit("decide_ticket", Access(mode=Mode.READ_ONLY, card=False))
    with pytest.raises(ReadOnly):
        inventory().admit("decide_ticket", Access(mode=Mode.READ_ONLY, card=True))


def test_an_inventory_holds_the_rows_that_it_is_given() -> None:
    reads = Inventory(endpoint_tool(endpoint) for endpoint in ENDPOINTS if endpoint.effect is Effect.READ)

    assert len(list(reads)) == 4
    with pytest.raises(UnknownTool):
        reads.admit("buy_limit", Access(mode=Mode.AUTO, card=True))
