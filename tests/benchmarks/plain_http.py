"""The least HTTP that a canned gateway needs: each GET gets one whole answer, on connections that stay open."""

import asyncio
from collections.abc import Callable

MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def json_answer(body: bytes | None) -> bytes:
    """Return the whole HTTP answer that has this JSON; None: nothing is there."""
    if body is None:
        return MISSING
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve(answer: Callable[[str], bytes]) -> None:
    """Print the address, then send `answer(target)` for each request until the process is ended."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(answer(head.split(b" ", 2)[1].decode()))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    async with server:
        await server.serve_forever()
