from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gunbot_mcp.paper.app import PaperGateway

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> list[datetime]:
    """The gateway's clock: its only item is now."""
    return [NOON]


@pytest.fixture
def connect(clock: list[datetime]) -> Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]:
    """Open a gateway with the given arguments and a client of it, in-process."""

    @asynccontextmanager
    async def opened(
        headers: dict[str, str] | None = None,
        **arguments: Any,  # noqa: ANN401 - those of PaperGateway
    ) -> AsyncGenerator[httpx2.AsyncClient]:
        given: dict[str, Any] = {"market": "manual", "clock": lambda: clock[0], **arguments}
        gateway = PaperGateway(**given)
        transport = httpx2.ASGITransport(gateway.app)
        try:
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://paper/api/v1", headers=headers
            ) as client:
                yield client
        finally:
            await gateway.aclose()

    return opened


@pytest.fixture
def child_script() -> str:
    """Source of a process that serves a gateway: `python -c SCRIPT FOLDER TOKEN` (empty strings mean None)."""
    return Path(__file__).with_name("serving.txt").read_text(encoding="utf-8")
