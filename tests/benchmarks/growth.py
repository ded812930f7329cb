"""An order with nothing in the ledger beside one with 400,000 tickets there, on SQLite and, where it is, PostgreSQL."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from benchmarks.filler import fill
from benchmarks.orders import NAMES, Buy, buy, interleaved, order, paper
from benchmarks.table import Lines, time_row
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from support.postgres import Cluster

TICKETS = 400_000
ORDERS = 20
WARM_UP = 3
TARGET = 1.3


def measure() -> Iterator[Lines]:
    with tempfile.TemporaryDirectory() as folder:
        yield from order_times(Path(folder), "SQLite", lambda name: f"sqlite:///{folder}/{name}.sqlite3")
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        if server is None:
            yield "(no PostgreSQL here: its rows are left out)"
            return
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        yield from order_times(Path(folder), "PostgreSQL", lambda _: stack.enter_context(database(server)))


def order_times(
    folder: Path, store: str, new_url: Callable[[str], str], *, tickets: int = TICKETS, orders: int = ORDERS
) -> Iterator[Lines]:
    """Let four servers take turns, order by order: both channels, on an empty and on a full ledger."""
    empty, full = new_url("empty"), new_url("full")
    fill(full, tickets)
    with ExitStack() as stack:
        buys: dict[str, Buy] = {}
        for channel in NAMES:
            for name, url in (("empty", empty), ("full", full)):
                server = stack.enter_context(paper(folder / f"{channel}-{name}", channel, ledger=url))
                arguments = order(server)
                buys[f"{channel}-{name}"] = lambda server=server, arguments=arguments: buy(server, arguments)
        seconds = interleaved(buys, orders=orders, warm_up=WARM_UP)
        for channel, name in NAMES.items():
            pair: Mapping[str, list[float]] = {key: seconds[f"{channel}-{key}"] for key in ("empty", "full")}
            yield time_row(f"{tickets:,} tickets, {store}, {name}", pair, TARGET, beside="empty")


@contextmanager
def postgres() -> Generator[str | None]:
    """Give the URL of a server on which databases may be created: a given one, or a private one; None without both."""
    if given := os.environ.get("GUNBOT_MCP_TEST_POSTGRES"):
        yield given
        return
    installed = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")), shutil.which("initdb")]
    found = next((path for path in reversed(installed) if path is not None), None)
    if found is None:
        yield None
        return
    cluster = Cluster(Path(found).parent)
    try:
        cluster.start()
        yield cluster.url
    finally:
        try:
            cluster.stop()
        except subprocess.CalledProcessError:
            pass  # it did not start
        finally:
            cluster.remove()


@contextmanager
def database(server: str) -> Generator[str]:
    """Create a database and give its URL; it goes when nobody needs it."""
    name = f"gunbot_mcp_{uuid4().hex}"
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: str, statement: str) -> None:
    url = make_url(server).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql(statement)
    finally:
        await engine.dispose()
