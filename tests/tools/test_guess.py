"""The guess for an unknown tool never leads to the opposite of what its name sounds like."""

import pytest

from gunbot_mcp.domain import Effect
from gunbot_mcp.tools.guess import guess
from gunbot_mcp.tools.inventory import inventory
from gunbot_mcp.tools.tool import Audience

TOOLS = [tool for tool in inventory() if tool.audience is Audience.MODEL]
EFFECTS = {tool.name: tool.effect for tool in TOOLS}


def named(hint: str) -> list[str]:
    return [word for word in hint.replace("?", " ").replace(",", " ").split() if word in EFFECTS]


@pytest.mark.parametrize(
    "name",
    ["place_order", "placeOrder", "plce_order", "create_order", "send_order", "submit_order", "new_order", "put_order"],
)
def test_a_name_that_sounds_like_placing_gets_only_tools_that_place(name: str) -> None:
    found = named(guess(name, TOOLS))

    assert found
    assert {EFFECTS[tool] for tool in found} == {Effect.ORDER}


@pytest.mark.parametrize("name", ["cancl_order", "delete_order", "cancelOrder", "kill_order", "remove_order"])
def test_a_name_that_sounds_like_cancelling_gets_only_the_cancel(name: str) -> None:
    assert named(guess(name, TOOLS)) == ["cancel_order"]


@pytest.mark.parametrize(
    ("name", "verb"),
    [("buy_limt", "buy"), ("buy", "buy"), ("buy_order", "buy"), ("sel_limit", "sell"), ("sell_all", "sell")],
)
def test_a_buy_is_never_answered_with_a_sell(name: str, verb: str) -> None:
    found = named(guess(name, TOOLS))

    assert found
    assert all(tool.startswith(verb) for tool in found)


@pytest.mark.parametrize("name", ["close_position", "close_order", "close_all"])
def test_closing_is_placing(name: str) -> None:
    assert named(guess(name, TOOLS)) == ["close_limit", "close_market"]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("buy_limt", "buy_limit"),
        ("buylimit", "buy_limit"),
        ("cancelorders", "cancel_order"),
        ("list_order", "list_orders"),
        ("get_quot", "get_quote"),
        ("balances", "get_balances"),
    ],
)
def test_a_typing_error_is_put_right(name: str, near: str) -> None:
    assert guess(name, TOOLS) == f"did you mean {near}?"


@pytest.mark.parametrize("name", ["", "xyz", "orders", "trailing_stop", "oco", "position", "\x00", "x" * 64])
def test_a_name_that_sounds_like_neither_gets_a_read_or_nothing(name: str) -> None:
    assert all(EFFECTS[tool] is Effect.READ for tool in named(guess(name, TOOLS)))
