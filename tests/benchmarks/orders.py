"""What an order costs on paper, sent by itself (mode auto) or approved in a form at once, beside the bare server's."""

import functools
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from typing import Any

import anyio
from benchmarks.counting import Channel, count_order
from benchmarks.session import BARE, OURS, Server, checked, configure, structured
from benchmarks.table import Lines, Row, time_row

NAMES: Mapping[Channel, str] = {"auto": "mode auto", "mandate": "by mandate", "form": "by form"}
ORDERS = 40
WARM_UP = 5
COMMITS = 50
FEW, MANY = 5, 100
MEMORY_TARGET = 1.15
TIME_TARGETS: Mapping[Channel, float] = {"auto": 8.0, "form": 10.0}
COMMIT_TARGETS: Mapping[Channel, int] = {"auto": 3, "mandate": 4, "form": 4}
MOST_REQUESTS, MOST_ROUNDS = 7, 4

Buy = Callable[[], bytes]


def measure() -> Iterator[Lines]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"(a commit of a plain SQLite database on this disk, p50: {commit_time(Path(folder)) * 1000:.2f} ms)"
        yield from order_times(Path(folder))
        for channel in NAMES:
            yield from count_rows(Path(folder), channel)
        for channel in TIME_TARGETS:
            yield memory(Path(folder) / f"memory-{channel}", channel)


def commit_time(folder: Path) -> float:
    """Return the median of the seconds that one row takes to be on the disk, with the ledger's own settings."""
    taken: list[float] = []
    with closing(sqlite3.connect(folder / "disk.sqlite3", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE rows (text)")
        for _ in range(COMMITS):
            begun = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO rows VALUES (?)", ("x" * 500,))
            connection.execute("COMMIT")
            taken.append(time.perf_counter() - begun)
    return median(taken)


def order_times(folder: Path) -> Iterator[Row]:
    """Let the three servers take turns, order by order, each on a paper gateway of its own."""
    with ExitStack() as stack:
        bare = stack.enter_context(Server(BARE, {"BARE_PAPER": str(folder / "bare")})).initialize()
        auto = stack.enter_context(paper(folder / "auto", "auto"))
        form = stack.enter_context(paper(folder / "form", "form"))
        arguments = order(auto)
        buys: Mapping[str, Buy] = {
            "bare": lambda: checked(bare.call("buy_limit", arguments)),
            "auto": lambda: buy(auto, arguments),
            "form": lambda: buy(form, arguments),
        }
        seconds = interleaved(buys, orders=ORDERS, warm_up=WARM_UP)
        for channel, target in TIME_TARGETS.items():
            pair = {name: seconds[name] for name in ("bare", channel)}
            yield time_row(f"order, {NAMES[channel]}", pair, target)


def interleaved(buys: Mapping[str, Buy], *, orders: int, warm_up: int) -> dict[str, list[float]]:
    """Return the seconds of each one's orders."""
    seconds: dict[str, list[float]] = {name: [] for name in buys}
    for turn in range(orders + warm_up):
        for name, place in buys.items():
            begun = time.perf_counter()
            place()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def count_rows(folder: Path, channel: Channel) -> Iterator[Row]:
    """Count an order that Gunbot shows at once, and one that it shows late."""

    def row(what: str, number: int, target: int) -> Row:
        return Row(name=f"{what}, {NAMES[channel]}", unit="count", ours=number, beside=None, target=target)

    for late in (False, True):
        home = folder / f"count-{channel}-{late}"
        counts = anyio.run(functools.partial(count_order, home, channel, late=late))
        when = "shown late" if late else "to Gunbot"
        yield row(f"requests {when}", counts.requests, MOST_REQUESTS)
        yield row(f"rounds {when}", counts.rounds, MOST_ROUNDS)
        if not late:
            yield row("durable commits", counts.commits, COMMIT_TARGETS[channel])


def memory(home: Path, channel: Channel) -> Row:
    """Return what one process holds after `MANY` orders, beside what it held after `FEW`."""
    with paper(home, channel) as server:
        arguments = order(server)
        held: dict[int, float] = {}
        for number in range(1, MANY + 1):
            buy(server, arguments)
            if number in {FEW, MANY}:
                held[number] = resident(server.pid)
    name = f"memory, {MANY} / {FEW} orders, {NAMES[channel]}"
    return Row(name=name, unit="MB", ours=held[MANY], beside=held[FEW], target=MEMORY_TARGET)


def resident(pid: int) -> float:
    """Return a process's resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def paper(home: Path, channel: Channel, *, ledger: str = "") -> Server:
    """Start `serve` on a paper instance: in mode auto, or with a client that approves each form at once."""
    environment = configure(home, ledger=ledger)
    if channel == "auto":
        return Server([*OURS, "--mode", "auto"], environment).initialize()
    return Server([*OURS, "--mode", "approve"], environment, decision="approve").initialize()


def order(server: Server) -> dict[str, Any]:
    """Return the arguments of a small order that rests below the market."""
    quote = structured(checked(server.call("get_quote", {"exchange": "binance", "pair": "USDT-BTC"})))
    return {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.0002, "price": round(float(quote["bid"]) * 0.9, 1)}


def buy(server: Server, arguments: Mapping[str, Any]) -> bytes:
    return checked(server.call("buy_limit", arguments), "accepted")
