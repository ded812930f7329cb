"""The inbox: one address for every instance of a state folder, proven before anybody is sent there."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from support.live import TOKEN, LiveGunbot

from gunbot_mcp.approval.inbox import announce, announced, find, has_ipv6, serves, statement
from gunbot_mcp.approval.pin import set_pin
from gunbot_mcp.config import load
from gunbot_mcp.files import private_folder
from gunbot_mcp.runtime import Runtime

pytestmark = pytest.mark.anyio

BUY = json.dumps({"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 48000})
Start = Callable[..., "subprocess.Popen[str]"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `gunbot-mcp inbox` on that port; wait until it listens, or until it has ended."""
    children: list[subprocess.Popen[str]] = []

    def run(port: int = 0) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-m", "gunbot_mcp", "inbox", "--port", str(port)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        children.append(child)
        assert child.stdout is not None
        while (line := child.stdout.readline()) and "listening" not in line:
            pass
        return child

    yield run
    for child in children:
        child.kill()
        child.communicate()


def call(tool: str, arguments: str = "{}") -> dict[str, Any]:
    """Call a tool in a process that is gone when its answer is there, as some clients do."""
    done = subprocess.run(
        [sys.executable, "-m", "gunbot_mcp", "call", tool, arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


async def found(home: Path) -> str | None:
    return await find(home, instance="paper", live=False, url="")


@pytest.mark.slow
async def test_an_order_of_a_process_that_is_gone_is_approved_in_the_inbox(
    start: Start, clean_environment: Path
) -> None:
    start()
    answer = call("buy_limit", BUY)
    page = answer["approve"]["page"]
    port = announced(clean_environment)
    assert page == f"http://localhost:{port}/tickets/{answer['ticket']['id']}"
    assert "lives only as long" not in answer["approve"]["how"]
    with httpx2.Client(trust_env=False) as browser:
        shown = browser.get(page).text
        token = re.search(r'name="token" value="([0-9a-f]{64})"', shown)
        assert token is not None
        decided = browser.post(
            f"{page}/approve",
            data={"token": token[1]},
            headers={"Origin": f"http://localhost:{port}"},
            follow_redirects=True,
        )
    assert "Accepted" in decided.text
    after = call("get_ticket", json.dumps({"ticket_id": answer["ticket"]["id"]}))
    assert after["status"] == "accepted"
    assert after["ticket"]["decided_by"] == "approval page"


def test_without_an_inbox_the_answer_has_the_whole_command(clean_environment: Path) -> None:
    approve = call("buy_limit", BUY)["approve"]
    assert approve["page"] is None
    assert f"GUNBOT_MCP_HOME={clean_environment}" in approve["command"]
    assert "in a plain terminal" in approve["how"]


async def test_an_inbox_is_named_while_it_runs_and_not_any_more(start: Start, clean_environment: Path) -> None:
    child = start()
    assert await found(clean_environment) == f"http://localhost:{announced(clean_environment)}"
    child.terminate()
    child.wait()
    assert await found(clean_environment) is None


async def test_an_inbox_of_another_gunbot_is_not_named(start: Start, clean_environment: Path) -> None:
    start()
    assert await find(clean_environment, instance="paper", live=True, url="http://127.0.0.1:3000") is None
    assert await find(clean_environment, instance="other", live=False, url="") is None


async def test_an_inbox_of_another_state_folder_is_not_named(
    start: Start, clean_environment: Path, tmp_path: Path
) -> None:
    start()
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    port = announced(clean_environment)
    assert port is not None
    announce(other, port)
    assert await find(other, instance="paper", live=False, url="") is None


def test_a_port_that_is_taken_ends_the_inbox(start: Start) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        child = start(taken.getsockname()[1])
        _, err = child.communicate()
    assert child.returncode != 0
    assert "the port is taken" in err


@pytest.mark.slow
@pytest.mark.skipif(not has_ipv6(), reason="this machine has no [::1]")
def test_a_port_that_is_taken_on_the_other_loopback_address_ends_the_inbox(start: Start) -> None:
    with closing(socket.socket(socket.AF_INET6)) as taken:
        taken.bind(("::1", 0))
        taken.listen()
        child = start(taken.getsockname()[1])
        _, err = child.communicate()
    assert child.returncode != 0
    assert "the port is taken" in err


@pytest.mark.slow
def test_a_second_inbox_of_one_state_folder_names_the_first_and_ends(start: Start, clean_environment: Path) -> None:
    start()
    port = announced(clean_environment)
    second = start(0)
    _, err = second.communicate()
    assert second.returncode != 0
    assert f"an inbox of this state folder runs already: http://localhost:{port}" in err
    assert "Traceback" not in err
    assert announced(clean_environment) == port
    assert httpx2.get(f"http://localhost:{port}/", trust_env=False).status_code == 200


@pytest.mark.slow
def test_an_inbox_that_was_killed_keeps_no_other_out(start: Start, clean_environment: Path) -> None:
    first = start()
    first.kill()
    first.wait()
    second = start(0)
    assert second.poll() is None
    assert httpx2.get(f"http://localhost:{announced(clean_environment)}/", trust_env=False).status_code == 200


class Stranger:
    """A server at a port of its own on 127.0.0.1 that answers every nonce with `reply(nonce, port)`."""

    def __init__(self, reply: Callable[[str, int], bytes]) -> None:
        stranger = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = reply(self.path.rpartition("nonce=")[2], stranger.port)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server names it
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.mark.parametrize("kind", ["nonsense", "long", "deep", "without proof", "old nonce", "other port", "echo"])
async def test_a_stranger_on_the_port_is_never_named(clean_environment: Path, kind: str) -> None:
    private_folder(clean_environment)
    served = [serves(clean_environment, instance="paper", live=False, url="")]

    def reply(nonce: str, port: int) -> bytes:
        def said(nonce: str, port: int) -> dict[str, object]:
            return dict(statement(clean_environment, nonce=nonce, port=port, served=served))

        noise = {"nonsense": b"<html>hello", "long": b" " * 1_000_000, "deep": b"[" * 60_000}
        statements = {
            "without proof": {**said(nonce, port), "proof": "0" * 64},
            "old nonce": said("a" * 32, port),
            # Passed on from the real inbox, which says where it listens.
            "other port": said(nonce, port + 1),
            "echo": {"nonce": nonce, "port": port},
        }
        return noise[kind] if kind in noise else json.dumps(statements[kind]).encode()

    with closing(Stranger(reply)) as stranger:
        announce(clean_environment, stranger.port)
        assert await found(clean_environment) is None


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no [::1]")
async def test_one_that_holds_only_one_of_the_two_addresses_is_not_named(clean_environment: Path) -> None:
    private_folder(clean_environment)
    served = [serves(clean_environment, instance="paper", live=False, url="")]

    def reply(nonce: str, port: int) -> bytes:
        return json.dumps(statement(clean_environment, nonce=nonce, port=port, served=served)).encode()

    with closing(Stranger(reply)) as half:
        announce(clean_environment, half.port)
        assert await found(clean_environment) is None


@pytest.mark.slow
async def test_several_instances_share_the_inbox_and_one_without_a_login_is_led_elsewhere(
    start: Start, clean_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    # None is chosen, and one has no login: neither keeps the inbox from starting.
    text = '[instances.one]\n[instances.two]\n[instances.three]\nurl = "http://127.0.0.1:9"\n'
    config.write_text(text, encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(config))
    monkeypatch.setenv("GUNBOT_MCP_INSTANCE", "two")
    second = call("buy_limit", BUY)["ticket"]["id"]
    monkeypatch.setenv("GUNBOT_MCP_INSTANCE", "one")
    first = call("buy_limit", BUY)["ticket"]["id"]
    monkeypatch.delenv("GUNBOT_MCP_INSTANCE")
    child = start()
    port = announced(clean_environment)
    with httpx2.Client(base_url=f"http://localhost:{port}", trust_env=False) as browser:
        front = browser.get("/").text
        assert first in front
        assert second in front
        assert "instance <b>two</b>" in browser.get(f"/tickets/{second}").text
        for name in ("one", "two"):
            assert f'href="/history?instance={name}">Order history of {name}' in front
            assert f"instance <b>{name}</b>" in browser.get(f"/history?instance={name}", timeout=60).text
        assert browser.get("/history?instance=nobody").status_code == 404
        assert browser.get("/live").json()["version"]
        assert browser.get("/", headers={"Host": "evil.example"}).status_code == 421
        assert browser.get("/inbox").status_code == 400
        elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}
        assert browser.get(f"/inbox?nonce={'a' * 32}", headers=elsewhere).status_code == 403
    child.terminate()
    _, err = child.communicate()
    assert "cannot send for three" in err
    assert announced(clean_environment) is None
    config.write_text("[instances.one]\n", encoding="utf-8")
    start(0)
    port = announced(clean_environment)
    with httpx2.Client(base_url=f"http://localhost:{port}", trust_env=False) as browser:
        shown = browser.get(f"/tickets/{second}")
        assert "cannot send for instance two" in shown.text
        assert browser.get("/tickets/nothing").status_code == 404


async def test_where_the_page_is_switched_off_no_inbox_is_named(start: Start, clean_environment: Path) -> None:
    start()
    async with Runtime(load()) as there, Runtime(load(approval={"page": False})) as off:
        assert await there.inbox_url() == f"http://localhost:{announced(clean_environment)}"
        assert await off.inbox_url() is None


@pytest.mark.slow
def test_connections_that_ask_nothing_are_closed_and_keep_nobody_out(start: Start, clean_environment: Path) -> None:
    start()
    port = announced(clean_environment)
    assert port is not None
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(200)]
        for one in idle:
            one.settimeout(60)
            assert one.recv(1) == b""
        assert httpx2.get(f"http://localhost:{port}/", trust_env=False).status_code == 200


@pytest.fixture
def gunbot(
    live_gunbot: LiveGunbot, clean_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> LiveGunbot:
    """Return the Gunbot of the config's one instance, whose human has a PIN."""
    config = tmp_path / "config.toml"
    text = f'[instances.gunbot]\nurl = "{live_gunbot.url}"\ntoken = "{TOKEN}"\nread_timeout = 60\n'
    config.write_text(text, encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(config))
    private_folder(clean_environment)
    set_pin(clean_environment, "246 810")
    return live_gunbot


@pytest.mark.slow
@pytest.mark.parametrize(("hold", "arrived"), [("request", False), ("answer", True)])
def test_an_inbox_that_dies_while_gunbot_has_the_order_tells_the_truth_when_it_is_back(
    start: Start, clean_environment: Path, gunbot: LiveGunbot, hold: Literal["request", "answer"], *, arrived: bool
) -> None:
    child = start()
    page = call("buy_limit", BUY)["approve"]["page"]
    gunbot.reset(hold)
    with httpx2.Client(trust_env=False, timeout=60) as browser, ThreadPoolExecutor(1) as hand:
        token = re.search(r'name="token" value="([0-9a-f]{64})"', browser.get(page).text)
        assert token is not None
        fields, origin = {"token": token[1], "pin": "246 810"}, page.partition("/tickets")[0]
        sent = hand.submit(browser.post, f"{page}/approve", data=fields, headers={"Origin": origin})
        assert gunbot.held.wait(60)
        child.kill()
        assert isinstance(sent.exception(), httpx2.HTTPError)
    gunbot.release()
    start()
    here = f"http://localhost:{announced(clean_environment)}"
    shown = httpx2.get(f"{here}/tickets/{page.rpartition('/')[2]}", trust_env=False, timeout=60).text
    assert "Approve and send" not in shown
    assert ("What did you find?" in shown, "Accepted by Gunbot" in shown) == (not arrived, arrived)
    assert len(gunbot.trades) == 1
