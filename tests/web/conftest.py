"""Sites, and Chromium to look at them with. See `site`."""

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.from_thread
import pytest
from anyio.from_thread import BlockingPortal
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from pydantic import SecretStr
from support.live import LiveGunbot
from web.passkey_house import open_house
from web.site import Site, build, close

from gunbot_mcp.config import Approval, Instance, Settings
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.paper.app import PaperGateway
from gunbot_mcp.web.history import Charts
from gunbot_mcp.web.page import PATIENCE


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop in a thread of its own, because Playwright's plain interface wants none in ours."""
    with anyio.from_thread.start_blocking_portal() as portal:
        yield portal


MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(portal: BlockingPortal, tmp_path: Path) -> Iterator[MakeSite]:
    """Serve a page: `make_site(live=…, name=…, port=…, **instance)`; closed when the test ends.

    With `inbox`, it is served by an inbox that can send for this instance alone.
    """
    made: list[Site] = []
    gateways: list[PaperGateway] = []

    def make(
        *,
        live: bool = False,
        name: str = "",
        port: int = 0,
        ttl: float = 120,
        buttons: Literal["paper", "always", "never"] = "paper",
        patience: float = PATIENCE,
        desk_type: type[Desk] = Desk,
        login: bool = False,
        charts: Charts | None = None,
        inbox: bool = False,
        **instance: Any,  # noqa: ANN401 - any of its settings
    ) -> Site:
        name = name or ("main" if live else "paper")
        token = SecretStr("hush-hush-token" if live else "")
        served = Instance(url="http://127.0.0.1:9" if live else "", token=token, **instance)
        settings = Settings(
            home=tmp_path,
            instance=name,
            instances={name: served},
            approval=Approval(page_port=port, ttl=ttl, wait=0, card_buttons=buttons, page_login=login),
        )
        gateway = PaperGateway(data=tmp_path / f"market{len(made)}", market="manual")
        gateways.append(gateway)
        site = portal.call(partial(build, portal, settings, gateway, patience, desk_type, charts=charts, inbox=inbox))
        made.append(site)
        return site

    yield make
    for site, gateway in zip(made, gateways, strict=True):
        portal.call(close, site, gateway)


# The browser


_QUIET = ("quic", "background-networking", "component-update", "sync")
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", *(f"--disable-{name}" for name in _QUIET)]


def chromium() -> str:
    """Return the system's Chromium; where there is none, the test is skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine: install the system's chromium package")
    return found


@pytest.fixture(scope="module")
def _playwright() -> Iterator[Playwright]:
    # While it runs, this thread has a running event loop, and tests of other modules could not start theirs.
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(_playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for all tests of a module."""
    browser = _playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def make_house(
    live_gunbot: LiveGunbot, clean_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Serve a whole inbox in front of a live Gunbot: `with make_house(**approval) as house`."""

    def make(**approval: object) -> Any:  # noqa: ANN401 - a context manager
        return open_house(live_gunbot, clean_environment, tmp_path / "config.toml", monkeypatch.setenv, **approval)

    return make


OpenPage = Callable[..., Any]


@pytest.fixture
def new_page(browser: Browser) -> Iterator[OpenPage]:
    """Open a tab of its own browser profile: `with new_page(width=…, **context) as page`.

    Any complaint in its console (a violation of the policy, an error in a script) fails the test, unless `quiet` is
    False, for tests in which the browser has reason to complain.
    """
    complaints: list[str] = []

    @contextmanager
    def open_page(
        *,
        width: int = 1024,
        height: int = 900,
        quiet: bool = True,
        **options: Any,  # noqa: ANN401 - Playwright's own
    ) -> Generator[Page]:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(60_000)
        page = context.new_page()
        # The browser itself reports each answer of 4xx in the console; those are what some tests are about.
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if quiet and message.type in {"error", "warning"} and "Failed to load resource" not in message.text
                else None
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        try:
            yield page
        finally:
            context.close()

    yield open_page
    assert complaints == []


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Return how to wait for the page that this program opens in the human's browser."""
    pipe, browser = tmp_path / "opened", tmp_path / "a-browser"
    os.mkfifo(pipe)
    browser.write_text(f'#!/bin/sh\necho "$1" > {pipe}\n', encoding="utf-8")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    monkeypatch.setenv("DISPLAY", ":99")
    return lambda: pipe.read_text(encoding="utf-8").strip()
