"""Starting and stopping the page's server."""

import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import httpx2
import pytest

from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.web.background import Background

MakeSite = Callable[..., Any]


def test_it_serves_at_the_configured_port_on_loopback_only(make_site: MakeSite) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert make_site(port=port).url == f"http://localhost:{port}"


def test_a_taken_port_gives_way_to_any_free_one(make_site: MakeSite) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        site = make_site(port=port)
        assert not site.url.endswith(f":{port}")
        assert site.request("GET", "/").status == 200


def test_starting_at_the_same_time_and_again_starts_one_server(make_site: MakeSite) -> None:
    site = make_site()

    async def often() -> set[str]:
        found: set[str] = set()

        async def one() -> None:
            found.add(await site.page.ensure_started())

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(one)
        return found

    assert site.portal.call(often) == {site.url}


def test_a_stopped_page_frees_its_port_answers_nobody_and_can_start_again(make_site: MakeSite) -> None:
    site = make_site()
    site.portal.call(site.page.aclose)
    site.portal.call(site.page.aclose)
    with pytest.raises(ConnectionRefusedError):
        site.request("GET", "/")
    assert site.portal.call(site.page.ensure_started).startswith("http://localhost:")


def test_the_application_answers_nobody_before_it_is_served(make_site: MakeSite) -> None:
    site = make_site()
    site.portal.call(site.page.aclose)

    async def ask() -> int:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=site.page.app), base_url=site.url) as client:
            return (await client.get("/")).status_code

    assert site.portal.call(ask) == 421


def test_stopping_waits_for_an_order_that_is_on_its_way(make_site: MakeSite) -> None:
    site = make_site()
    ticket = site.propose()
    form = site.open(ticket)
    site.wire.hold("/api/v1/trade/buy")
    with ThreadPoolExecutor(2) as threads:
        deciding = threads.submit(form.post, "approve")
        site.portal.call(site.wire.held.wait)
        stopping = threads.submit(site.portal.call, site.page.aclose)
        site.portal.call(site.wire.release)
        stopping.result()
        assert deciding.result().status == 303
    assert (site.state(ticket), len(site.wire.orders)) == ("accepted", 1)


async def nothing(scope: object, receive: object, send: object) -> None:
    del scope, receive, send


@pytest.mark.anyio
async def test_the_owner_keeps_its_signals_and_may_cancel_the_call_that_started_the_page() -> None:
    before = signal.getsignal(signal.SIGINT)
    background = Background(nothing)
    found: list[str] = []
    with anyio.CancelScope() as scope:
        found.append(await background.start(0))
        scope.cancel()
    assert signal.getsignal(signal.SIGINT) == before
    assert [await background.start(0)] == found
    await background.aclose()


@pytest.mark.anyio
async def test_where_no_port_can_be_listened_on_the_error_says_so() -> None:
    def no_port(host: str, port: int) -> socket.socket:
        raise ConfigInvalid(f"{host}:{port} cannot be listened on", "choose another port")

    background = Background(nothing, listen=no_port)
    with pytest.raises(ConfigInvalid):
        await background.start(8717)
    await background.aclose()
