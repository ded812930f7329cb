"""A desk on any ledger, with any Gunbot behind it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2

from gunbot_mcp.clock import Clock
from gunbot_mcp.config import Approval, Instance, Limits, Settings
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.exchanges import CapabilityMatrix
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.recovery import Owner
from gunbot_mcp.guard.timing import Timing
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import Ticket

ORDER: dict[str, Any] = {
    "exchange": "binance",
    "pair": "USDT-BTC",
    "amount": Decimal("0.001"),
    "price": Decimal("49000.10"),
}


@asynccontextmanager
async def open_desk(
    url: str,
    folder: Path,
    transport: httpx2.AsyncBaseTransport,
    /,
    *,
    clock: Clock | None = None,
    patience: float = 5,
    database: Database | None = None,
    approval: Approval | None = None,
    **instance: Any,  # noqa: ANN401 - any field of an instance
) -> AsyncGenerator[Desk]:
    """Open a desk as a process of its own would: its own engine, its own owner. `database` replaces the ledger's."""
    clock = clock or Clock()
    limits = Limits(duplicate_seconds=0)
    made = Instance.model_validate({"url": "http://gunbot.invalid", "token": "hush-hush", "limits": limits, **instance})
    settings = Settings.model_construct(instance="live", instances={"live": made}, approval=approval or Approval())
    owner = Owner.start(folder)
    opened = await Ledger.open(url, clock=clock, patience=patience, database=database)
    async with opened as ledger, Gunbot(made, transport=transport, elapsed=clock.monotonic) as gunbot:
        yield Desk(
            settings=settings,
            gunbot=gunbot,
            ledger=ledger,
            matrix=CapabilityMatrix({}),
            clock=clock,
            owner=owner.id,
            folder=folder,
            timing=Timing(record_pause=0.001, look_pause=0.001),
        )
    owner.stop()


async def propose(
    desk: Desk,
    tool: str = "buy_limit",
    *,
    client: str = "model",
    **arguments: Any,  # noqa: ANN401 - any argument
) -> Ticket:
    """Propose an order, by default the same small limit order."""
    endpoint = BY_NAME[tool]
    given = ORDER | arguments
    known = {name: value for name, value in given.items() if name in endpoint.args.model_fields and value is not None}
    return (await desk.propose(Order.of(endpoint, endpoint.args.model_validate(known)), client=client)).ticket
