"""The page `/history` and the chart inside a client: the same drawing, light and dark, with tooltips of our own."""

# pyright: reportUnknownMemberType=false
# Playwright's assertions take patterns of types that it does not spell out.

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from history.made_orders import BTC, SHORT, written
from playwright.sync_api import FrameLocator, Page, expect
from support.browsing import visit

from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.errors import GunbotMcpError, Hint, HistoryUnavailable
from gunbot_mcp.history.coverage import Coverage, KeyCoverage
from gunbot_mcp.history.reader import Reader
from gunbot_mcp.render import Answer, error_answer
from gunbot_mcp.server.app import to_result
from gunbot_mcp.tools.chart import ChartArgs, draw
from gunbot_mcp.web.chart_view import chart_html

MakeSite = Callable[..., Any]
NewPage = Callable[..., Any]
HOST = (Path(__file__).parent / "host.html").read_text(encoding="utf-8")
NOW = datetime(2026, 11, 2, 14, 2, tzinfo=UTC)
FIRST, LAST = 1791785700000, 1793511000000


def coverage() -> Coverage:
    keys = tuple(
        KeyCoverage(key=key, records=count, first_ms=FIRST, last_ms=LAST, fetched_ms=LAST, complete=True)
        for key, count in ((BTC, 16), (SHORT, 9))
    )
    return Coverage(keys=keys, read_at=NOW, complete=True, pending=(), pages=2, records=25)


def drawn(reader: Reader, arguments: Mapping[str, object], *, pictures: bool = True) -> Answer:
    try:
        return draw(reader, parse_arguments(ChartArgs, arguments), coverage(), [], pictures=pictures)
    except GunbotMcpError as exc:
        return error_answer(exc, shows_card=True)


def served(make_site: MakeSite, folder: Path, *, pictures: bool = True) -> Any:  # noqa: ANN401 - a Site
    reader = written(folder)

    async def charts(arguments: Mapping[str, object]) -> Answer:
        return drawn(reader, arguments, pictures=pictures)

    return make_site(charts=charts)


BERLIN = "/history?chart=pnl&since=2026-10-12&timezone=Europe/Berlin"


@pytest.mark.browser
@pytest.mark.slow
def test_a_chart_is_shown_with_its_numbers_and_a_mark_says_what_it_is(
    make_site: MakeSite, new_page: NewPage, tmp_path: Path
) -> None:
    site = served(make_site, tmp_path)
    with new_page() as page:
        visit(page, site.url + BERLIN)

        expect(page.locator("main")).to_contain_text("Covers 2 of 2 keys, 25 records, 12 Oct 08:15 - 1 Nov 06:30")
        expect(page.locator("main")).to_contain_text("Largest drop 40.04, at its bottom 29 Oct 17:45.")
        expect(page.locator("td").last).to_have_text("21.1612")
        over(page, '[aria-label^="19 Oct 00:15"]')
        expect(page.locator(".tip")).to_have_text("19 Oct 00:15: +39.30 (+18.76)")
        page.mouse.move(5, 5)
        expect(page.locator(".tip")).to_be_hidden()


@pytest.mark.browser
@pytest.mark.slow
def test_links_lead_to_the_other_charts_and_keep_what_was_asked(
    make_site: MakeSite, new_page: NewPage, tmp_path: Path
) -> None:
    site = served(make_site, tmp_path)
    with new_page() as page:
        visit(page, f"{site.url}{BERLIN}&keys={SHORT}")
        page.get_by_role("link", name="Holdings").click()

        expect(page.get_by_role("link", name="Holdings")).to_have_attribute("aria-current", "true")
        expect(page.locator("svg")).to_contain_text("ETH short")
        expect(page.locator("svg")).to_contain_text("Europe/Berlin")
        assert f"keys={SHORT.replace('/', '%2F')}" in page.url


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chart_has_the_page_s_own_light_or_dark(
    make_site: MakeSite, new_page: NewPage, tmp_path: Path, scheme: str
) -> None:
    site = served(make_site, tmp_path)
    with new_page(width=400, height=1000, color_scheme=scheme) as page:
        visit(page, site.url + BERLIN)

        ink = page.locator("svg text", has_text="Cumulative").evaluate("text => getComputedStyle(text).fill")
        assert ink == {"light": "rgb(27, 31, 36)", "dark": "rgb(230, 234, 238)"}[scheme]
        # Nothing is wider than a narrow window.
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_without_pictures_there_are_the_line_the_numbers_and_how_to_get_them(
    make_site: MakeSite, tmp_path: Path
) -> None:
    answer = httpx2.get(served(make_site, tmp_path, pictures=False).url + BERLIN)

    assert '<figure class="chart">' not in answer.text
    assert 'class="spark"' in answer.text
    assert "gunbot-mcp[charts]" in answer.text
    assert "21.1612" in answer.text


def test_the_page_has_a_policy_of_its_own_and_every_name_in_it_is_text(make_site: MakeSite, tmp_path: Path) -> None:
    answer = httpx2.get(served(make_site, tmp_path).url + BERLIN)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert len(re.findall(r"'sha256-[\w+/=]{44}'", policy)) == 2
    assert answer.headers["cache-control"] == "no-store"
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/history?chart=pie", 400, "chart must be"),
        ("/history?since=whenever", 400, "no time that is known here"),
        ("/history?timezone=Mars/Base", 400, "IANA"),
        ("/history?nonsense=1", 400, "unknown argument"),
        ("/history?chart=%3Cscript%3E", 400, "chart must be"),
    ],
)
def test_a_strange_address_is_an_error_page(
    make_site: MakeSite, tmp_path: Path, path: str, status: int, words: str
) -> None:
    answer = httpx2.get(served(make_site, tmp_path).url + path)

    assert answer.status_code == status
    assert words in answer.text
    assert "<script>alert" not in answer.text


def test_where_there_is_no_history_the_page_is_not_there(make_site: MakeSite) -> None:
    assert httpx2.get(make_site().url + "/history").status_code == 404


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Hint("look at get_limits", "look at the limits"), "Look at the limits."),
        (Hint.by_human("run gunbot-mcp doctor", "ask again, or "), "Ask again, or run gunbot-mcp doctor."),
        ("gunbot-mcp doctor", "<code>gunbot-mcp doctor</code>"),
        ("", "It cannot be read."),
    ],
)
def test_a_chart_that_cannot_be_drawn_tells_people_their_own_next_step(
    make_site: MakeSite, hint: Hint | str, words: str
) -> None:
    async def charts(_: object) -> Answer:
        return error_answer(HistoryUnavailable("it cannot be read", hint), shows_card=True)

    text = httpx2.get(f"{make_site(charts=charts).url}/history").text
    assert words.removesuffix(".") in text
    assert "get_limits" not in text
    assert "human" not in re.sub(r"<(style|script).*?</\1>", "", text, flags=re.DOTALL)


def over(page: Page, mark: str) -> None:
    box = page.locator(f".chart path{mark}").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def view(page: Page, result: Mapping[str, Any], **context: object) -> FrameLocator:
    page.set_content(HOST)
    page.evaluate("([html, result, context]) => start(html, result, context)", [chart_html(), result, context])
    return page.frame_locator("iframe")


def result_of(answer: Answer) -> dict[str, Any]:
    return to_result(answer).model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.mark.browser
@pytest.mark.slow
def test_a_client_s_view_shows_the_drawing_in_the_client_s_theme(new_page: NewPage, tmp_path: Path) -> None:
    asked = {"chart": "days", "since": "2026-10-12", "timezone": "Europe/Berlin"}
    result = result_of(drawn(written(tmp_path), asked))
    with new_page(width=500) as page:
        card = view(page, {**result, "structuredContent": None}, theme="dark")

        expect(card.locator("svg")).to_contain_text("Pnl and volume per day, USDT")
        expect(card.locator("#told")).to_contain_text("Covers 2 of 2 keys")
        bar = card.locator('svg path[aria-label^="2026-10-29"]').first
        assert bar.evaluate("mark => getComputedStyle(mark).fill") == "rgb(255, 128, 120)"


@pytest.mark.browser
@pytest.mark.slow
def test_a_view_without_a_drawing_shows_the_words(new_page: NewPage, tmp_path: Path) -> None:
    result = result_of(drawn(written(tmp_path), {"chart": "pnl", "since": "2026-10-12"}, pictures=False))
    with new_page(width=500) as page:
        card = view(page, result)

        expect(card.locator("#told")).to_contain_text("gunbot-mcp[charts]")
        expect(card.locator("svg")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.slow
def test_a_view_lets_nothing_in_but_a_drawing(new_page: NewPage) -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg"><script>parent.postMessage("ran","*")</script><g onclick="x()">'
        '<path aria-label="kept"/><image href="https://example.com/x.png"/></g>'
        '<a href="javascript:x()"><text>t</text></a></svg>'
    )
    with new_page(width=500) as page:
        card = view(page, {"content": [], "_meta": {"gunbot-mcp/chart": {"svg": svg}}})

        expect(card.locator("svg path")).to_have_attribute("aria-label", "kept")
        left = card.locator("svg").evaluate("svg => svg.outerHTML")
        assert re.findall(r"script|onclick|href|image", left) == []


def test_the_front_page_links_the_history_of_its_instance(make_site: MakeSite, tmp_path: Path) -> None:
    with_charts, without = served(make_site, tmp_path), make_site(name="other")

    assert 'href="/history?instance=paper">Order history</a>' in httpx2.get(with_charts.url).text
    assert httpx2.get(f"{with_charts.url}{BERLIN}&instance=paper").status_code == 200
    assert "instance=paper&amp;chart=days" in httpx2.get(f"{with_charts.url}{BERLIN}").text
    assert httpx2.get(f"{with_charts.url}{BERLIN}&instance=other").status_code == 404
    assert "/history" not in httpx2.get(without.url).text
