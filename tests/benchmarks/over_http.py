"""A tool call over streamable HTTP in both protocol generations, beside the bare server over HTTP."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

from benchmarks.session import HANDSHAKE, SERVERS, STATELESS, HttpServer, checked, gateway, over_http
from benchmarks.table import Lines, time_row

CALLS = 100
WARM_UP = 10
SIZE = 10
TARGET = 1.0


def measure() -> Iterator[Lines]:
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(gateway())
        environment = {"GUNBOT_URL": url, "GUNBOT_TOKEN": "x", "GUNBOT_MCP_HOME": home}
        addresses = {name: stack.enter_context(over_http(name, environment)) for name in SERVERS}
        for protocol in (HANDSHAKE, STATELESS):
            servers = {
                name: stack.enter_context(closing(HttpServer(address, protocol))).connect()
                for name, address in addresses.items()
            }
            seconds: dict[str, list[float]] = {name: [] for name in servers}
            for turn in range(CALLS + WARM_UP):
                for name, server in servers.items():
                    begun = time.perf_counter()
                    body = server.page(SIZE)
                    taken = time.perf_counter() - begun
                    checked(body)
                    if turn >= WARM_UP:
                        seconds[name].append(taken)
            yield time_row(f"page of {SIZE} over HTTP, {protocol}", seconds, TARGET)
