"""A process that brings one key's mirror up to date from a Gunbot: `syncing HOME URL KEY`; prints records and pages."""

import sys
from pathlib import Path

import anyio
from support.live import TOKEN

from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.history.mirror import Home, Mirror
from gunbot_mcp.history.pages import GunbotPages
from gunbot_mcp.instance import Instance


async def main(folder: str, url: str, key: str) -> None:
    instance = Instance.model_validate({"url": url, "token": TOKEN, "read_timeout": 60})
    async with Gunbot(instance) as gunbot:
        home = Home(folder=Path(folder), instance="main", url=url, live=True)
        coverage = await Mirror(home, GunbotPages(gunbot)).ready([key], within=120)
    sys.stdout.write(f"{coverage.records} {coverage.pages} {coverage.complete}")


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
