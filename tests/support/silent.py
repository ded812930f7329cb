"""A Gunbot that takes a request and never answers, and notices when whoever asked hangs up."""

import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import anyio
import anyio.to_thread
import pytest


@dataclass
class SilentGunbot:
    """`asked` is set when a request has arrived, `hung_up` when its connection was closed from the other end."""

    url: str = ""
    asked: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)

    async def until(self, event: threading.Event, seconds: float) -> bool:
        """Return whether it happens within so many seconds."""
        return await anyio.to_thread.run_sync(event.wait, seconds)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, gunbot: SilentGunbot) -> None:
        self.gunbot = gunbot
        super().__init__(("127.0.0.1", 0), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        gunbot, connection = cast("_Server", self.server).gunbot, self.request
        while True:
            try:
                received = connection.recv(65536)
            except OSError:
                received = b""
            if not received:
                break
            gunbot.asked.set()
        gunbot.hung_up.set()


@pytest.fixture
def silent_gunbot() -> Iterator[SilentGunbot]:
    gunbot = SilentGunbot()
    with _Server(gunbot) as server:
        gunbot.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield gunbot
        finally:
            server.shutdown()
            thread.join()
