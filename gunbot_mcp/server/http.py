"""Serving streamable HTTP, on loopback only: all who can reach the port can use the tools, so forms prove nothing."""

import ipaddress
from collections.abc import Callable

from mcp.server.transport_security import TransportSecuritySettings

from gunbot_mcp.config import Settings
from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.loopback import serve_loopback
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import approval_page, build_server


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`.

    Raises:
        ConfigInvalid: not an address, or not a loopback one.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdecimal() or int(port) not in range(65_536):
        raise ConfigInvalid(f"--http {clean(address, 60)} is not HOST:PORT", "for example --http 127.0.0.1:8765")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigInvalid(
            f"--http serves loopback addresses only, not {clean(host, 60)}",
            "to reach it from elsewhere, put a reverse proxy with TLS and authentication in front",
        )
    return host, int(port)


async def serve_http(settings: Settings, host: str, port: int, *, announce: Callable[[str], None]) -> None:
    """Serve at `http://HOST:PORT/mcp` until SIGINT or SIGTERM; foreign Host and Origin headers are refused."""
    async with Runtime(settings, page=approval_page, follows=True) as runtime:
        server = build_server(runtime, known=False)
        app = server.streamable_http_app(
            transport_security=TransportSecuritySettings(
                enable_dns_rebinding_protection=True,
                allowed_hosts=["127.0.0.1:*", "localhost:*", "[::1]:*"],
                allowed_origins=["http://127.0.0.1:*", "http://localhost:*", "http://[::1]:*"],
            )
        )
        await serve_loopback(
            app,
            host,
            port,
            announce=lambda url: announce(f"listening on {url}/mcp"),
            ending=server.changes.listen.close,
        )
