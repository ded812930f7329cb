"""This server beside a bare SDK server, over stdio, in one run, against one canned gateway.

    python tests/benchmarks/run.py            print the table
    python tests/benchmarks/run.py --check    and exit with 1 where a ratio misses its target
    python tests/benchmarks/run.py --bytes    only the sizes, which are the same in every run

The two servers take turns, start by start and call by call, so that whatever else the machine does falls on both.
Times end when the complete response line has been read: they are the server's, not a client's validation. A time is
the p50 of its samples. With `--check`, a time may exceed its target by `TOLERANCE`; bytes may not.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

HERE = Path(__file__).parent
SERVERS: Mapping[str, Sequence[str]] = {
    "ours": (sys.executable, "-m", "gunbot_mcp", "serve"),
    "bare": (sys.executable, str(HERE / "bare.py")),
}
STARTS = 9
CALLS = {10: 300, 1000: 60}
WARM_UP = 10
TOLERANCE = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: what was measured for each server, and the largest ratio ours / bare that is wanted."""

    name: str
    unit: str
    ours: float
    bare: float
    target: float

    @property
    def ratio(self) -> float:
        return self.ours / self.bare

    @property
    def passes(self) -> bool:
        return self.ratio <= self.target * (1 if self.unit == "bytes" else TOLERANCE)

    def __str__(self) -> str:
        verdict = "met" if self.ratio <= self.target else "within tolerance" if self.passes else "MISSED"
        return (
            f"{self.name:<26} {self.ours:>12,.2f} {self.bare:>12,.2f} {self.unit:<6}"
            f" {self.ratio:>6.3f}  <= {self.target:.2f}  {verdict}"
        )


class Server:
    """A server in a child process, and the smallest client that can talk to it: one line out, one line in."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment}
        )
        self._id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.communicate(timeout=30)

    def request(self, method: str, params: Mapping[str, Any]) -> bytes:
        """Return the whole response line; anything but a success ends the benchmark."""
        self._id += 1
        self._send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def initialize(self) -> None:
        client = {"name": "benchmark", "version": "1"}
        self.request("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def page(self, size: int) -> bytes:
        arguments = {"key": "binance/USDT-BTC", "page": 0, "page_size": size}
        return self.request("tools/call", {"name": "list_orders_page", "arguments": arguments})

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()


@contextmanager
def gateway() -> Generator[str]:
    """Run the canned gateway and give its address."""
    with subprocess.Popen([sys.executable, str(HERE / "gateway.py")], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def checked(line: bytes) -> bytes:
    """Return the line, which must be a success; so that no server is fast because it fails."""
    result = json.loads(line).get("result")
    if result is None or result.get("isError"):
        raise SystemExit(f"a server failed: {line[:500]!r}")
    return line


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


def time_row(name: str, seconds: Mapping[str, Sequence[float]], target: float) -> Row:
    ours, bare = (median(seconds[server]) * 1000 for server in ("ours", "bare"))
    return Row(name=f"{name}, p50", unit="ms", ours=ours, bare=bare, target=target)


def page_bytes(servers: Mapping[str, Server], size: int) -> Row:
    lengths = {name: len(checked(server.page(size))) for name, server in servers.items()}
    return Row(name=f"answer of {size:,}", unit="bytes", ours=lengths["ours"], bare=lengths["bare"], target=0.5)


def measure(*, only_bytes: bool) -> Iterator[Row]:
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(gateway())
        environment = {"GUNBOT_URL": url, "GUNBOT_TOKEN": "x", "GUNBOT_MCP_HOME": home}
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a ratio misses its target")
    parser.add_argument("--bytes", action="store_true", help="measure sizes only")
    options = parser.parse_args()
    print(f"{'':<26} {'ours':>12} {'bare':>12} {'':<6} {'ratio':>6}  target")
    rows: list[Row] = []
    for row in measure(only_bytes=options.bytes):
        print(row, flush=True)
        rows.append(row)
    return 1 if options.check and not all(row.passes for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
