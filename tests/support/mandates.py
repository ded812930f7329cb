"""A human's mandate on the live instance `gunbot`, as `gunbot-mcp mandate create` would record it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from gunbot_mcp.runtime import Runtime
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.mandate import Mandate


def mandate(**fields: Any) -> Mandate:  # noqa: ANN401 - any field
    now = datetime.now(UTC)
    facts: dict[str, Any] = {
        "id": "m1",
        "instance": "gunbot",
        "exchange": "binance",
        "pairs": ("USDT-BTC",),
        "asset": "USDT",
        "max_order": Decimal(60),
        "max_total": Decimal(110),
        "live": True,
        "url": None,
        "created_at": now - timedelta(minutes=1),
        "expires_at": now + timedelta(hours=1),
        "created_by": TERMINAL,
    }
    return Mandate(**{**facts, **fields})


async def grant(runtime: Runtime, given: Mandate) -> None:
    """Record the mandate; one that names no Gunbot is for the one that is served."""
    served = runtime.settings.served
    bound = replace(given, live=served.live, url=served.url) if given.url is None and given.live else given
    async with (await runtime.desk()).ledger.write() as write:
        await write.add_mandate(bound)
