"""SDKs and agent frameworks: each connects, lists, converts, reads, is refused readably, proposes, and is approved."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from clients import laws
from clients.conftest import Installed
from clients.driver import DRIVERS, Told, entry, play
from clients.human import approve_in_terminal, approve_on_page, ticket_of

from gunbot_mcp.arguments import parse_arguments

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client: its name, the environment that it is installed in, its driver, and how its human approves."""

    name: str
    runs: str
    driver: str
    way: str


CLIENTS = (
    Client(name="TypeScript SDK 1.x", runs="npm", driver="typescript1.mjs", way="form"),
    Client(name="TypeScript SDK 2.x, 2025-11-25", runs="npm", driver="typescript2.mjs legacy", way="form"),
    Client(name="TypeScript SDK 2.x, 2026-07-28", runs="npm", driver="typescript2.mjs auto", way="form"),
    Client(name="Python SDK 1.x", runs="one", driver="sdk1.py", way="form"),
    Client(name="Python SDK 2.x, 2025-11-25", runs="two", driver="sdk2.py legacy", way="form"),
    Client(name="Python SDK 2.x, 2026-07-28", runs="two", driver="sdk2.py auto", way="form"),
    Client(name="FastMCP", runs="two", driver="fast_mcp.py", way="form"),
    Client(name="openai-agents, plain", runs="two", driver="openai_agents.py plain", way="page"),
    Client(name="openai-agents, strict", runs="two", driver="openai_agents.py strict", way="page"),
    Client(name="pydantic-ai", runs="two", driver="pydantic_agent.py", way="page"),
    Client(name="google-adk", runs="adk", driver="adk.py", way="page"),
    Client(name="mcp-use", runs="one", driver="mcp_use_agent.py", way="page"),
    Client(name="crewai-tools", runs="one", driver="crew.py", way="page"),
    Client(name="smolagents", runs="one", driver="smol.py", way="page"),
    # These two start a process for each call: the server's own page is gone when the human gets there.
    Client(name="langchain-mcp-adapters", runs="one", driver="lang_chain.py", way="inbox"),
    Client(name="llama-index", runs="two", driver="llama.py", way="terminal"),
)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_gets_from_the_list_to_an_approved_order(
    client: Client,
    installed: Installed,
    row: Callable[..., None],
    request: pytest.FixtureRequest,
) -> None:
    if client.way == "inbox":
        request.getfixturevalue("inbox")
    script, *options = client.driver.split()
    runner = installed.node() if client.runs == "npm" else installed.python(client.runs)
    command = [runner, str(DRIVERS / script), *options]

    def human(shown: str) -> str:
        match client.way:
            case "terminal":
                approve_in_terminal(shown)
            case "page" | "inbox":
                approve_on_page(shown)
            case _:
                assert "accepted" in shown
                return shown.partition("Ticket ")[2].partition(",")[0]
        return ticket_of(shown)

    told = play(command, entry(installed), environment=installed.environment(), human=human)

    assert set(told.schemas) >= set(laws.TOOLS)
    whole, calls = laws.converted(told.schemas), laws.accepted(told.schemas)
    assert calls > 100
    _reads_and_is_refused(told)
    assert len(told.forms) == (client.way == "form")
    assert "accepted" in told.after
    assert "Order sent" in told.after
    row(client.name, told.version, len(told.schemas), f"{whole}, {calls} calls", "yes", "yes", "yes", client.way)


def _reads_and_is_refused(told: Told) -> None:
    assert "USDT-BTC" in told.reads["get_quote"]
    assert "total" in told.reads["list_orders_page"]
    for text, code, hint in (
        (told.refused, "limit_exceeded", "make it smaller"),
        (told.mistaken, "invalid_arguments", "a JSON number greater than 0"),
    ):
        assert code in text
        assert hint in text
    # The hint, obeyed as it reached the model, is accepted.
    shown = re.search(r"for example (\{[^}]*\})", told.mistaken.replace("\\", ""))
    assert shown, told.mistaken
    assert parse_arguments(laws.TOOLS["buy_limit"].args, {**laws.BUY, **json.loads(shown[1])})
