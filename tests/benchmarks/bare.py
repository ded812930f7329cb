"""The yardstick: the shortest honest server on the bare SDK: one tool, one pooled client, no checks, no logging."""

import os
from typing import Any

import httpx2
from mcp.server import MCPServer

server = MCPServer("bare", log_level="WARNING")
http = httpx2.AsyncClient(
    base_url=os.environ["GUNBOT_URL"], headers={"Authorization": f"Bearer {os.environ['GUNBOT_TOKEN']}"}
)


@server.tool()
async def list_orders_page(key: str, page: int, page_size: int) -> dict[str, Any]:
    """One page of one pair's filled orders, newest first."""
    response = await http.get("/api/v1/orders/page", params={"key": key, "page": page, "pageSize": page_size})
    response.raise_for_status()
    return response.json()


if __name__ == "__main__":
    server.run()
