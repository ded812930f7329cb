"""The card in a host that we did not write: mcp-ui's renderer and the protocol's TypeScript SDK, both from npm.

The browser is the MCP client: it initializes, calls the tool, reads the card's resource and passes on what the card
asks for, over HTTP to a real `gunbot-mcp serve`. Ours is only what puts those parts on a page, and a pipe to the
server, because a browser speaks to the origin of its page only.
"""

# pyright: reportUnknownMemberType=false
# Playwright's assertions take patterns of types that it does not spell out.

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anyio
import httpx2
import pytest
import uvicorn
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from support.browsing import visit
from support.served import over_http

from gunbot_mcp.loopback import bind

pytestmark = [pytest.mark.slow, pytest.mark.browser]

NewPage = Callable[..., Any]
HERE = Path(__file__).parent / "foreign_host"
ROOT = Path(__file__).parents[2]
PARTS = ("@mcp-ui/client", "@modelcontextprotocol/sdk", "react", "react-dom", "esbuild")
BUY = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 48000}
PASSED_ON = ("content-type", "accept", "mcp-session-id", "mcp-protocol-version")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host's script, bundled with its packages."""
    esbuild = shutil.which("esbuild")
    modules = Path(esbuild).parent.parent if esbuild else Path()
    missing = [part for part in PARTS if not (modules / part / "package.json").exists()]
    if esbuild is None or missing:
        pytest.skip(f"not here: {', '.join(missing)} (npm install them, and put node_modules/.bin into PATH)")
    made = tmp_path_factory.mktemp("host") / "host.js"
    subprocess.run(
        [esbuild, HERE / "host.js", "--bundle", "--format=esm", f"--outfile={made}", "--log-level=error"],
        env={**os.environ, "NODE_PATH": str(modules)},
        check=True,
    )
    return made


@pytest.fixture
def host(bundle: Path, clean_environment: Path) -> Iterator[str]:
    """The address of the host's page; its server keeps its state in the clean environment's folder."""
    with over_http({**os.environ, "PYTHONPATH": str(ROOT), "GUNBOT_MCP_HOME": str(clean_environment)}) as (mcp, _):

        async def pipe(request: Request) -> Response:
            headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
            async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
                answer = await client.post(mcp, content=await request.body(), headers=headers)
            kept = {name: value for name, value in answer.headers.items() if name in PASSED_ON}
            return Response(answer.content, answer.status_code, kept)

        def file(path: Path) -> Route:
            def answer(request: Request) -> Response:
                del request
                return FileResponse(path)

            return Route(f"/{path.name}", answer)

        files = [file(HERE / "host.html"), file(HERE / "sandbox.html"), file(bundle)]
        with serving(Starlette(routes=[*files, Route("/mcp", pipe, methods=["POST"])])) as port:
            yield f"http://localhost:{port}"


@contextmanager
def serving(app: Starlette) -> Generator[int]:
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))

    async def run() -> None:
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=anyio.run, args=(run,))
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def shown(host: str, tool: str, arguments: dict[str, Any]) -> str:
    # The sandbox has an origin of its own, as every host gives it one: the other name of this machine.
    sandbox = f"{host.replace('localhost', '127.0.0.1')}/sandbox.html"
    return f"{host}/host.html?{urlencode({'tool': tool, 'arguments': json.dumps(arguments), 'sandbox': sandbox})}"


def rows_of(tool: str, **arguments: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any argument
    done = subprocess.run(
        ["gunbot-mcp", "call", tool, json.dumps(arguments)],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    found = json.loads(done.stdout)
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def test_the_card_is_shown_and_its_click_sends_the_order_once(host: str, new_page: NewPage) -> None:
    with new_page(quiet=False) as page:
        visit(page, shown(host, "buy_limit", BUY))
        card = page.frame_locator("#chat iframe").frame_locator("iframe")
        expect(card.locator(".kind")).to_have_text("PAPER")
        expect(card.get_by_role("heading", level=1)).to_contain_text("Buy 0.001 BTC at 48,000 USDT on binance")
        card.get_by_role("button", name="Approve and send").click()
        expect(card.locator("#outcome h2")).to_have_text("Accepted by Gunbot")
        page.wait_for_function("window.noted.length > 0")
        noted = page.evaluate("window.noted")

    # It says of itself that it takes no message, so only the model's context is told.
    [(name, told)] = noted
    assert name == "ui/update-model-context"
    assert "is accepted: Buy 0.001 BTC at 48,000 USDT" in told["content"][0]["text"]
    assert [row["price"] for row in rows_of("list_open_orders", exchange="binance", pair="USDT-BTC")] == [48000]
    [ticket] = rows_of("list_tickets")
    assert ticket["state"] == "accepted"


def test_a_reject_on_the_card_sends_nothing(host: str, new_page: NewPage) -> None:
    with new_page(quiet=False) as page:
        visit(page, shown(host, "buy_limit", BUY))
        card = page.frame_locator("#chat iframe").frame_locator("iframe")
        card.get_by_role("button", name="Reject").click()
        expect(card.locator("#outcome h2")).to_have_text("Declined")

    assert rows_of("list_open_orders", exchange="binance", pair="USDT-BTC") == []
