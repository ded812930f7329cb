"""`gunbot-mcp serve`: the MCP server over stdio, or over HTTP on loopback."""

import functools
import gc

import anyio
import click

from gunbot_mcp.config import load


@click.command()
@click.option("--http", "address", metavar="HOST:PORT", help="Serve streamable HTTP on a loopback address instead.")
@click.option("--instance", help="The instance to serve, where the config has several.")
@click.option("--mode", help="read-only, approve or auto.")
def serve(address: str | None, instance: str | None, mode: str | None) -> int:
    """Serve MCP; clients start this themselves."""
    settings = load(instance=instance, mode=mode)
    if address is None:
        # What is loaded here is never freed: no garbage collection searches it, at the start or during a large answer.
        gc.disable()
        from gunbot_mcp.server.stdio import serve_stdio  # noqa: PLC0415 - only what this transport needs

        gc.freeze()
        gc.enable()
        caught = anyio.run(serve_stdio, settings)
        return 0 if caught is None else 128 + caught
    from gunbot_mcp.server.http import parse_address, serve_http  # noqa: PLC0415 - only what this transport needs

    host, port = parse_address(address)
    anyio.run(functools.partial(serve_http, settings, host, port, announce=functools.partial(click.echo, err=True)))
    return 0
