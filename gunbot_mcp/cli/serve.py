"""`gunbot-mcp serve`: the MCP server over stdio, or over HTTP on loopback."""

import functools
import sys
from contextlib import nullcontext

import anyio
import click

from gunbot_mcp.cli.interrupts import held_back
from gunbot_mcp.cli.screen import say
from gunbot_mcp.config import load
from gunbot_mcp.server.http import parse_address, serve_http
from gunbot_mcp.server.stdio import serve_stdio

_NOT_FOR_TYPING = (
    "This is an MCP server: it waits here for a client's messages on its standard input, and shows nothing else. "
    "A client starts it by itself: gunbot-mcp install CLIENT adds it to one, and gunbot-mcp install --print shows the "
    "entry for any other. Without a client, gunbot-mcp demo shows what it does. Ctrl-C ends it."
)
"""What is said on stderr where a human has typed the command: stdout belongs to the protocol."""


@click.command()
@click.option("--http", "address", metavar="HOST:PORT", help="Serve streamable HTTP on a loopback address instead.")
@click.option("--instance", help="The instance to serve, where the config has several.")
@click.option("--mode", help="read-only, approve or auto.")
def serve(address: str | None, instance: str | None, mode: str | None) -> int:
    """Serve MCP; clients start this themselves."""
    settings = load(instance=instance, mode=mode)
    if address is None:
        # Until the server hears signals itself, nothing of it is torn down half made. On Windows it never does.
        with held_back() if sys.platform != "win32" else nullcontext([]) as noted:
            if sys.stdin.isatty():
                say(_NOT_FOR_TYPING, err=True)
            caught = anyio.run(serve_stdio, settings, noted)
        return 0 if caught is None else 128 + caught
    host, port = parse_address(address)
    anyio.run(functools.partial(serve_http, settings, host, port, announce=functools.partial(click.echo, err=True)))
    return 0
