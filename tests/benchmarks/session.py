"""Servers in child processes, and the smallest clients that can talk to them: one message out, one message in.

A time that is taken around `request` is the server's: nothing is validated or parsed before the answer is whole.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

HERE = Path(__file__).parent
OURS = (sys.executable, "-m", "gunbot_mcp", "serve")
BARE = (sys.executable, str(HERE / "bare.py"))
SERVERS: Mapping[str, Sequence[str]] = {"ours": OURS, "bare": BARE}
HANDSHAKE = "2025-11-25"
STATELESS = "2026-07-28"
CLIENT = {"name": "benchmark", "version": "1"}
PATIENCE = 60
PAGE = {"key": "binance/USDT-BTC", "page": 0}

_LIMITS = """
[instances.paper.limits]
max_order = { USDT = "1000000000" }
max_day = { USDT = "1000000000" }
orders_per_day = 1000000000
orders_per_minute = 1000000000
duplicate_seconds = 0
"""


def configure(home: Path, *, wait: float = 20, ledger: str = "", seed: int = 1) -> dict[str, str]:
    """Make a state folder with limits that stop no benchmark, and return the environment of a server that uses it."""
    home.mkdir(parents=True, exist_ok=True)
    config = home / "config.toml"
    texts = [f"[approval]\nwait = {wait}\npage_port = 0\n", f"[instances.paper]\nseed = {seed}\n{_LIMITS}"]
    if ledger:
        texts.append(f"[ledger]\nurl = {json.dumps(ledger)}\n")
    config.write_text("\n".join(texts), encoding="utf-8")
    return {"GUNBOT_MCP_HOME": str(home), "GUNBOT_MCP_CONFIG": str(config)}


def clean_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without anything of the user's own Gunbot, and with `own`."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("GUNBOT")}, **own}


class Server:
    """A server over stdio. `decision` (approve or reject) makes a client that shows forms and decides at once."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, decision: str = "") -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment(environment)
        )
        self._decision = decision
        self._id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate(timeout=PATIENCE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def request(self, method: str, params: Mapping[str, Any]) -> bytes:
        """Return the whole response line."""
        self._id += 1
        self._send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        line = self._read()
        while self._decision and "method" in (message := json.loads(line)):
            if message["method"] == "elicitation/create":
                answer = {"action": "accept", "content": {"decision": self._decision}}
                self._send({"jsonrpc": "2.0", "id": message["id"], "result": answer})
            line = self._read()
        return line

    def initialize(self) -> Self:
        hello: dict[str, Any] = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": CLIENT}
        if self._decision:
            hello["capabilities"] = {"elicitation": {}}
        self.request("initialize", hello)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def call(self, tool: str, arguments: Mapping[str, Any]) -> bytes:
        return self.request("tools/call", {"name": tool, "arguments": arguments})

    def page(self, size: int) -> bytes:
        return self.call("list_orders_page", {**PAGE, "page_size": size})

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _read(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class HttpServer:
    """A client of a server over streamable HTTP, on one kept connection, in one protocol generation."""

    def __init__(self, url: str, protocol: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        self._protocol = protocol
        self._headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        self._id = 0

    def connect(self) -> Self:
        """Do what the generation does before the first call: a handshake, or nothing."""
        if self._protocol == HANDSHAKE:
            hello = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": CLIENT}
            self._message("initialize", hello, {"id": 0})
            self._headers["Mcp-Protocol-Version"] = HANDSHAKE
            self._message("notifications/initialized", {}, {})
        return self

    def page(self, size: int) -> bytes:
        """Return the whole body of the answer."""
        self._id += 1
        params: dict[str, Any] = {"name": "list_orders_page", "arguments": {**PAGE, "page_size": size}}
        if self._protocol == STATELESS:
            told = {"protocolVersion": STATELESS, "clientInfo": CLIENT, "clientCapabilities": {}}
            params["_meta"] = {f"io.modelcontextprotocol/{key}": value for key, value in told.items()}
        return self._message("tools/call", params, {"id": self._id})

    def _message(self, method: str, params: Mapping[str, Any], ids: Mapping[str, int]) -> bytes:
        headers = dict(self._headers)
        if self._protocol == STATELESS:
            headers |= {"Mcp-Protocol-Version": STATELESS, "Mcp-Method": method, "Mcp-Name": str(params.get("name"))}
        body = json.dumps({"jsonrpc": "2.0", **ids, "method": method, "params": params}).encode()
        self._connection.request("POST", self._path, body, headers)
        response = self._connection.getresponse()
        if session := response.getheader("Mcp-Session-Id"):
            self._headers["Mcp-Session-Id"] = session
        return response.read()

    def close(self) -> None:
        self._connection.close()


@contextmanager
def over_http(name: str, environment: Mapping[str, str]) -> Generator[str]:
    """Run one of `SERVERS` over HTTP and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [*SERVERS[name], "--http", address]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=clean_environment(environment)) as process:
        try:
            _wait_for(address)
            yield f"http://{address}/mcp"
        finally:
            process.terminate()


def _wait_for(address: str) -> None:
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


@contextmanager
def gateway() -> Generator[str]:
    """Run the canned gateway and give its address."""
    with subprocess.Popen([sys.executable, str(HERE / "gateway.py")], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def checked(line: bytes, status: str = "") -> bytes:
    """Return the answer, which must be a success (and an order's `status`): no server may be fast because it fails."""
    text = line.decode()
    # Over HTTP the answer may come as the one event of a stream.
    body = next((part[5:] for part in text.splitlines() if part.startswith("data:") and "jsonrpc" in part), text)
    result = json.loads(body).get("result")
    if result is None or result.get("isError") or (status and structured(line)["status"] != status):
        raise SystemExit(f"a server failed: {line[:500]!r}")
    return line


def structured(line: bytes) -> dict[str, Any]:
    return json.loads(line)["result"]["structuredContent"]
