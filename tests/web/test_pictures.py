"""The README's pictures, taken of the running product in Chromium; `scripts/pictures` puts them into docs/pictures."""

# pyright: reportUnknownMemberType=false
# Playwright's assertions take patterns of types that it does not spell out.

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browsing import visit
from web.cards import Client, MakeSite
from web.pictures import FOLDER, MOST_BYTES, NAMES, SCHEMES, SOURCES, small, sources
from web.test_history_page import BERLIN, served

pytestmark = [pytest.mark.slow, pytest.mark.browser]

NewPage = Callable[..., Any]
Scheme = Literal["light", "dark"]
Shoot = Callable[[str, Page | Locator], None]
PIN = "246 810"
BTC: dict[str, Any] = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001}
OCO = {**BTC, "price": 49000, "stop_price": 52500, "limit_price": 52600}
schemes = pytest.mark.parametrize("scheme", SCHEMES)


@pytest.fixture(scope="module")
def taken() -> Iterator[dict[str, bytes]]:
    """Every picture of this run, by file name; kept only if they are all there."""
    found: dict[str, bytes] = {}
    yield found
    if os.environ.get("PICTURES_INTO_DOCS") and len(found) == len(NAMES) * len(SCHEMES):
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, png in found.items():
            (FOLDER / name).write_bytes(png)
        SOURCES.write_text(json.dumps(sources(), indent=2) + "\n", encoding="utf-8")


@pytest.fixture
def shoot(taken: dict[str, bytes], scheme: Scheme, tmp_path: Path) -> Shoot:
    def shoot(name: str, what: Page | Locator) -> None:
        png = small(what.screenshot(animations="disabled", caret="hide"))
        (tmp_path / f"{name}-{scheme}.png").write_bytes(png)
        assert len(png) <= MOST_BYTES, f"{name}: {len(png)} bytes"
        taken[f"{name}-{scheme}.png"] = png

    return shoot


@schemes
def test_the_page_and_its_ladder(make_site: MakeSite, new_page: NewPage, shoot: Shoot, scheme: Scheme) -> None:
    site = make_site(live=True, name="main")
    site.set_pin(PIN)
    with new_page(width=760, height=856, color_scheme=scheme) as page:
        visit(page, f"{site.url}/tickets/{site.propose('buy_limit', client='Claude Desktop', **BTC, price=50500).id}")
        expect(page.get_by_role("button", name="Approve and send")).to_be_enabled()
        shoot("page", page)
        visit(page, f"{site.url}/tickets/{site.propose('buy_oco', **OCO).id}")
        expect(page.locator("svg").first).to_be_visible()
        shoot("ladder", page.locator("svg").first)


@schemes
def test_the_inbox(make_site: MakeSite, new_page: NewPage, shoot: Shoot, scheme: Scheme) -> None:
    site = make_site()
    site.propose("buy_limit", client="Claude Desktop", **BTC, price=50500)
    site.propose("buy_oco", client="Cursor", **OCO)
    site.propose("sell_market", client="Claude Code", **BTC)
    with new_page(width=760, height=620, color_scheme=scheme) as page:
        visit(page, site.url)
        expect(page.get_by_role("listitem").first.or_(page.get_by_role("row").first)).to_be_visible()
        shoot("inbox", page)


@schemes
def test_the_card(make_site: MakeSite, new_page: NewPage, shoot: Shoot, scheme: Scheme) -> None:
    site = make_site()
    with new_page(width=640, height=900, color_scheme=scheme) as page:
        card = Client(page, site).show(site.call("buy_limit", {**BTC, "price": 50500}), theme=scheme)
        expect(card.get_by_role("button", name="Approve and send")).to_be_enabled()
        shoot("card", card.locator("#card"))


@schemes
def test_the_chart(make_site: MakeSite, new_page: NewPage, shoot: Shoot, scheme: Scheme, tmp_path: Path) -> None:
    site = served(make_site, tmp_path)
    with new_page(width=760, height=900, color_scheme=scheme) as page:
        visit(page, f"{site.url}{BERLIN}")
        expect(page.locator("svg").first).to_be_visible()
        shoot("chart", page.locator("svg").first)
