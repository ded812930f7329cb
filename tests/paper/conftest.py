import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
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
        **arguments: object,
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


Start = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `gunbot-mcp paper` on a free port, with the token T and more options; return it and its address."""
    children: list[subprocess.Popen[str]] = []

    def run(folder: Path | None = None, *options: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "gunbot_mcp", "paper", "--port", "0", "--token", "T", "--market", "manual"]
        command += [] if folder is None else ["--data", str(folder)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        child = subprocess.Popen(
            [*command, *options],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        children.append(child)
        assert child.stdout is not None
        line = child.stdout.readline()
        assert re.fullmatch(r"listening on http://127\.0\.0\.1:\d+\n", line), line
        return child, line.split()[-1]

    yield run
    for child in children:
        child.kill()
        child.communicate()
