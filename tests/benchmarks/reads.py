"""Starting, and reading pages of orders: over stdio beside the bare server, against one canned gateway."""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks.session import PAGE, SERVERS, Server, checked, gateway
from benchmarks.table import Lines, Row, time_row

STARTS = 9
CALLS = {10: 300, 1000: 60}
WARM_UP = 10


def measure(*, only_bytes: bool = False) -> Iterator[Lines]:
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(gateway())
        environment = {"GUNBOT_URL": url, "GUNBOT_TOKEN": "x", "GUNBOT_MCP_HOME": str(Path(home))}
        if not only_bytes:
            yield cold_starts(environment)
        servers = {name: stack.enter_context(Server(command, environment)) for name, command in SERVERS.items()}
        for server in servers.values():
            server.initialize()
        if not only_bytes:
            yield page_times(servers, 10, 1.0)
            yield page_times(servers, 1000, 0.6)
        yield page_bytes(servers, 10)
        yield page_bytes(servers, 1000)


def cold_starts(environment: Mapping[str, str]) -> Row:
    seconds: dict[str, list[float]] = {name: [] for name in SERVERS}
    for turn in range(STARTS + 1):
        for name, command in SERVERS.items():
            begun = time.perf_counter()
            with Server(command, environment) as server:
                server.initialize()
                line = server.request("tools/list", {})
                taken = time.perf_counter() - begun
                checked(line)
            if turn:  # the first start of each compiles and warms the disk's cache
                seconds[name].append(taken)
    return time_row("cold start to tools/list", seconds, 1.15)


def page_times(servers: Mapping[str, Server], size: int, target: float) -> Row:
    seconds: dict[str, list[float]] = {name: [] for name in servers}
    for turn in range(CALLS[size] + WARM_UP):
        for name, server in servers.items():
            begun = time.perf_counter()
            line = server.page(size)
            taken = time.perf_counter() - begun
            checked(line)
            if turn >= WARM_UP:
                seconds[name].append(taken)
    return time_row(f"page of {size:,}", seconds, target)


def page_bytes(servers: Mapping[str, Server], size: int) -> Row:
    """Return the row of what the records of a page take: ours for as many, where a page is cut to fit an answer."""
    bare = len(checked(servers["bare"].page(size)))
    line = checked(servers["ours"].call("list_orders_page", {**PAGE, "page_size": size, "max_rows": size}))
    rows = len(json.loads(line)["result"]["structuredContent"]["rows"])
    return Row(name=f"answer of {size:,}", unit="bytes", ours=len(line) * size / rows, beside=bare, target=0.5)
