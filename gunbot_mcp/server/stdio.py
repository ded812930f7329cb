"""Serving over stdin and stdout: stdout belongs to the protocol, logs go to stderr."""

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

import anyio
from mcp.server.stdio import stdio_server

from gunbot_mcp.config import Settings
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import approval_page, build_server


async def serve_stdio(settings: Settings) -> None:
    """Serve until the client closes stdin."""
    async with Runtime(settings, page=approval_page) as runtime:
        server = build_server(runtime)
        with _protocol_output() as output:
            async with stdio_server(stdout=anyio.wrap_file(output)) as (read_stream, write_stream):
                await server.run(read_stream, write_stream, server.create_initialization_options())


@contextmanager
def _protocol_output() -> Generator[io.TextIOWrapper]:
    """Give stdout to the protocol alone; whatever else is printed meanwhile goes to stderr.

    The SDK would divert it too, but write through a buffer of 8 KiB, so that a shorter answer waits for one more
    round through a worker thread, its flush. Here it is on its way when it is written.
    """
    wire = os.dup(1)
    elsewhere = os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else os.dup(2)
    os.dup2(elsewhere, 1)
    os.close(elsewhere)
    try:
        # A worker thread may still be writing when the server ends, so the descriptor is never closed under it.
        raw = io.FileIO(wire, "wb", closefd=False)
        yield io.TextIOWrapper(io.BufferedWriter(raw, buffer_size=1), "utf-8", newline="\n", write_through=True)
    finally:
        os.dup2(wire, 1)
