"""Tickets, mandates, clocks and databases that tests are made of."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.engine import make_url

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.domain import Purpose
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import Ticket

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def make_ticket() -> Callable[..., Ticket]:
    """Make a pending ticket, created at noon; any field by keyword."""

    def order(fields: dict[str, Any]) -> Order:
        """Take what names the order (tool or side, arguments or exchange, pair) out of the fields."""
        side: str = fields.pop("side", "buy")
        tool: str = fields.pop("tool", "cancel_order" if side == "cancel" else f"{side}_limit")
        place = f'"exchange":"{fields.pop("exchange", "binance")}","pair":"{fields.pop("pair", "USDT-BTC")}"'
        rest = (
            '"order_id":"1","order_type":"limit","price":50000.10'
            if side == "cancel"
            else '"amount":0.001,"price":50000.10'
        )
        arguments: str = fields.pop("arguments", "{" + f"{place},{rest}" + "}")
        return Order.stored(tool, arguments)

    def make(ticket_id: str = "t1", **fields: Any) -> Ticket:  # noqa: ANN401 - any field
        created: datetime = fields.pop("created_at", NOON)
        content: dict[str, Any] = {
            "instance": "paper",
            "live": False,
            "url": "",
            "order": order(fields),
            "purpose": Purpose.ENTRY,
            "summary": "Buy 0.001 BTC at 50000.10 USDT on binance",
            "notional": Decimal("50.05"),
            "asset": "USDT",
            "quote": {"bid": 49999.5, "ask": 50000.5},
            "checks": ("mode", "limits"),
            "warnings": (),
            "client": "a client",
            "fingerprint": f"fingerprint of {ticket_id}",
            "repeat_of": None,
            "created_at": created,
            "expires_at": created + timedelta(seconds=120),
            "boot": "boot",
            "deadline": 1120.25,
            "nonce_hash": "0" * 64,
        }
        return Ticket(id=ticket_id, **{**content, **fields})

    return make


@pytest.fixture
def make_mandate() -> Callable[..., Mandate]:
    """Make an unspent mandate, in force for an hour from noon; any field by keyword."""

    def make(mandate_id: str = "m1", **fields: Any) -> Mandate:  # noqa: ANN401 - any field
        content: dict[str, Any] = {
            "instance": "paper",
            "exchange": "binance",
            "pairs": ("USDT-BTC",),
            "asset": "USDT",
            "max_order": Decimal(50),
            "max_total": Decimal(100),
            "live": False,
            "url": "",
            "created_at": NOON,
            "expires_at": NOON + timedelta(hours=1),
            "created_by": TERMINAL,
        }
        return Mandate(id=mandate_id, **{**content, **fields})

    return make


@pytest.fixture
def new_database(postgres_url: str, execute_sql: Callable[..., None]) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, for tests that run on that store only."""
    name = f"gunbot_mcp_{uuid4().hex}"
    execute_sql(postgres_url, f"CREATE DATABASE {name}")
    yield make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    execute_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def own_database(postgres_url: str, execute_sql: Callable[..., None]) -> Iterator[str]:
    """An empty PostgreSQL database."""
    name = f"gunbot_mcp_own_{os.getpid()}"
    execute_sql(postgres_url, f"CREATE DATABASE {name}")
    yield make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    execute_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")
