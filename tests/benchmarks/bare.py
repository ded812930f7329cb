"""The yardstick: the shortest honest server on the bare SDK: two tools, one pooled client, no checks, no logging.

`BARE_PAPER` (a folder) puts the paper gateway into this process, as `gunbot-mcp serve` does; else Gunbot is at
`GUNBOT_URL`. `--http HOST:PORT` serves streamable HTTP instead of stdio.
"""

import os
import sys
from pathlib import Path
from typing import Any

import httpx2
from mcp.server import MCPServer

server = MCPServer("bare", log_level="WARNING")


def client() -> httpx2.AsyncClient:
    if folder := os.environ.get("BARE_PAPER"):
        from gunbot_mcp.paper.app import PaperGateway  # noqa: PLC0415 - a start that is measured does not load it

        transport = httpx2.ASGITransport(app=PaperGateway(data=Path(folder)).app)
        return httpx2.AsyncClient(base_url="http://paper", transport=transport)
    headers = {"Authorization": f"Bearer {os.environ['GUNBOT_TOKEN']}"}
    return httpx2.AsyncClient(base_url=os.environ["GUNBOT_URL"], headers=headers)


gunbot = client()


@server.tool()
async def list_orders_page(key: str, page: int, page_size: int) -> dict[str, Any]:
    """One page of one pair's filled orders, newest first."""
    response = await gunbot.get("/api/v1/orders/page", params={"key": key, "page": page, "pageSize": page_size})
    response.raise_for_status()
    return response.json()


@server.tool()
async def buy_limit(exchange: str, pair: str, amount: float, price: float) -> dict[str, Any]:
    """Place a limit buy; nobody is asked and nothing is written down."""
    data = {"exch": exchange, "pair": pair, "amt": amount, "price": price}
    response = await gunbot.post("/api/v1/trade/buy", json={"data": data})
    response.raise_for_status()
    return response.json()


if __name__ == "__main__":
    if "--http" in sys.argv:
        host, _, port = sys.argv[-1].rpartition(":")
        server.run("streamable-http", host=host, port=int(port))
    else:
        server.run()
