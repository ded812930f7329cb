"""The paper gateway on a port."""

from collections.abc import Callable

from gunbot_mcp.loopback import serve_loopback
from gunbot_mcp.paper.app import PaperGateway


async def serve(gateway: PaperGateway, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT, SIGTERM or cancellation, then close the gateway. Port 0 takes a free one.

    `announce` gets one line, `listening on http://HOST:PORT`, once connections are accepted.

    Raises:
        ConfigInvalid: the address cannot be taken.
    """
    try:
        await serve_loopback(gateway.app, host, port, announce=lambda url: announce(f"listening on {url}"))
    finally:
        await gateway.aclose()
