"""From the assistant's answer to a sent order, by every way: the human's actions are counted, and all of it is timed.

The human is a script that thinks in no time: the seconds are those of the program, the browser and the network alone.
They end when the human reads that the order is accepted. `scripts/ways` writes the table into README.md.
"""

# pyright: reportUnknownMemberType=false
# Playwright's assertions take patterns of types that it does not spell out.

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, types
from playwright.sync_api import Page, expect
from support.browsing import visit
from support.terminals import Terminal
from telling.services import service
from web.cards import Client as CardClient
from web.cards import MakeSite, outcome
from web.passkey_house import BUY, PIN, ROOT, House, finger, register
from web.ways import LONGER, MOST, WAYS, Human, write_readme

pytestmark = [pytest.mark.slow, pytest.mark.browser]

NewPage = Callable[..., Any]
Measured = dict[str, float]
NO_WAITING = 15.0
"""Seconds: far less than any time limit of this server, far more than a busy machine needs."""


@pytest.fixture(scope="module")
def measured() -> Iterator[Measured]:
    found: Measured = {}
    yield found
    if found.keys() == WAYS.keys() and os.environ.get("WAYS_INTO_README"):
        write_readme(found)


@pytest.fixture
def count(measured: Measured, tell: Callable[[str], None]) -> Callable[[str, Human], None]:
    """Compare what the human did with the table's row, and keep the seconds."""

    def count(name: str, human: Human) -> None:
        seconds, way = human.seconds, WAYS[name]
        assert tuple(human.did) == way.actions
        assert len(human.did) <= MOST + (name in LONGER)
        assert seconds < NO_WAITING
        measured[name] = seconds
        tell(f"from answer to order: {way.title} ({way.instance}): {len(human.did)} actions, {seconds:.1f} s")

    return count


def press_approve(page: Page, human: Human, name: str | re.Pattern[str] = re.compile("^Approve")) -> None:
    page.get_by_role("button", name=name).click()
    human.does("press Approve")


def accepted(page: Page) -> None:
    expect(page.get_by_role("status").get_by_role("heading").first).to_have_text(
        re.compile("^(Accepted by Gunbot|Filled )")
    )


def test_the_form(make_house: Callable[..., Any], count: Callable[[str, Human], None]) -> None:
    human = Human()

    async def decide(context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context, params
        human.__init__()  # the clock starts when the form is there
        human.does("choose approve")
        human.does("submit")
        return types.ElicitResult(action="accept", content={"decision": "approve"})

    async def order() -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        server = StdioServerParameters(command=sys.executable, args=["-m", "gunbot_mcp", "serve"], env=environment)
        async with Client(server, mode="legacy", elicitation_callback=decide) as client:
            result = await client.call_tool("buy_limit", BUY)
        assert result.structured_content["status"] == "accepted"

    house: House
    with make_house(wait=60) as house:
        anyio.run(order)
        count("form", human)
        assert len(house.gunbot.trades) == 1


def test_the_card(make_site: MakeSite, new_page: NewPage, count: Callable[[str, Human], None]) -> None:
    site = make_site(live=True, buttons="always")
    with new_page() as page:
        result = site.call("buy_limit", BUY)
        human = Human()
        card = CardClient(page, site).show(result)
        card.get_by_role("button", name="Approve").click()
        human.does("press Approve")
        outcome(card, re.compile("^(Accepted by Gunbot|Filled )"))
        count("card", human)
    assert len(site.wire.orders) == 1


def test_the_inbox_with_the_pin(
    make_house: Callable[..., Any], opened: Callable[[], str], new_page: NewPage, count: Callable[[str, Human], None]
) -> None:
    house: House
    with make_house(open="browser") as house, new_page() as page:
        house.propose()
        human = Human()
        visit(page, opened())
        page.get_by_label("Your PIN").fill(PIN)
        human.does("type the PIN")
        press_approve(page, human)
        accepted(page)
        count("pin", human)
        assert len(house.gunbot.trades) == 1


def test_the_inbox_with_a_passkey(
    make_house: Callable[..., Any], opened: Callable[[], str], new_page: NewPage, count: Callable[[str, Human], None]
) -> None:
    house: House
    with make_house(open="browser", live_needs="passkey") as house, new_page() as page:
        finger(page)
        register(page, house)
        house.propose()
        human = Human()
        visit(page, opened())
        press_approve(page, human)
        human.does("touch")  # the virtual authenticator does, as soon as it is asked
        accepted(page)
        count("passkey", human)
        assert len(house.gunbot.trades) == 1


def test_a_notification(
    clean_environment: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_page: NewPage,
    count: Callable[[str, Human], None],
) -> None:
    with service() as (port, heard), paper_inbox(tmp_path, monkeypatch, f"json://127.0.0.1:{port}/"):
        del clean_environment
        answer = call("buy_limit", **BUY)
        human = Human()
        link = link_in(heard)
        with new_page() as page:
            visit(page, link)
            human.does("open its link")
            press_approve(page, human)
            accepted(page)
            count("notice", human)
        rows = call("list_open_orders", exchange="binance", pair="USDT-BTC")["rows"]
    assert answer["status"] == "awaiting_approval"
    assert len(rows) == 1


def test_a_notification_of_a_live_order(
    make_house: Callable[..., Any], new_page: NewPage, count: Callable[[str, Human], None]
) -> None:
    house: House
    with (
        service() as (port, heard),
        make_house(notify=[f"json://127.0.0.1:{port}/"], live_needs="passkey", touch_at_once=True) as house,
        new_page() as page,
    ):
        finger(page)
        register(page, house)
        house.propose()
        human = Human()
        visit(page, link_in(heard))
        human.does("open its link")
        human.does("touch")
        accepted(page)
        count("notice_live", human)
        assert len(house.gunbot.trades) == 1


def test_a_terminal(make_house: Callable[..., Any], count: Callable[[str, Human], None]) -> None:
    house: House
    with make_house() as house:
        ticket = house.propose().rpartition("/")[2]
        human = Human()
        terminal = Terminal("approve", ticket)
        human.does("type `gunbot-mcp approve ID`")
        terminal.answer("PIN:", PIN)
        human.does("type the PIN")
        terminal.answer("Send this LIVE order now?", "y")
        human.does("type y")
        assert terminal.end() == 0
        count("terminal", human)
        assert len(house.gunbot.trades) == 1


def link_in(heard: list[dict[str, Any]]) -> str:
    """Return the link in the first notice: the process that proposed has told before it ended."""
    found = re.search(r"http://localhost:\d+/tickets/\S+", heard[0]["message"])
    assert found is not None
    return found[0]


@contextmanager
def paper_inbox(folder: Path, monkeypatch: pytest.MonkeyPatch, notify: str) -> Generator[None]:
    config = folder / "config.toml"
    config.write_text(f'[approval]\nnotify = ["{notify}"]\n[instances.paper]\nmarket = "manual"\n', encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(config))
    child = subprocess.Popen(
        [sys.executable, "-m", "gunbot_mcp", "inbox", "--port", "0"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert child.stdout is not None
        while "listening on" not in (line := child.stdout.readline()):
            assert line
        yield
    finally:
        child.terminate()
        child.communicate()


def call(tool: str, **arguments: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "gunbot_mcp", "call", tool, json.dumps(arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    return json.loads(done.stdout)
