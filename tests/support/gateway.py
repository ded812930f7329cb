"""A paper gateway on a real port that counts orders, and can stop the world around one: a Gunbot to crash against."""

import asyncio
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx2
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gunbot_mcp.paper.app import PaperGateway
from gunbot_mcp.paper.serve import serve

_TRADE = "/api/v1/trade/"
_PATIENCE = 30


class RecordingGateway:
    """`posts` holds every order that arrived, `taken` those that Gunbot took, each as its `data`.

    `hold` is where the next orders stop until `release` is called: "request" (read, not handled, and never answered),
    "answer" (handled, not answered), "half" (handled, half an answer sent), or None.
    """

    def __init__(self) -> None:
        self.url = ""
        self.hold: str | None = None
        self.posts: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.held = threading.Event()
        self._free = threading.Event()
        self._paper = PaperGateway(seed=7)

        # A function: uvicorn tells the kinds of applications apart by that.
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._answer(scope, receive, send)

        self.app: ASGIApp = app

    def release(self) -> None:
        """Let go on what is held, and hold nothing more."""
        self.hold = None
        self._free.set()

    def place(self, data: dict[str, Any]) -> str:
        """Place a limit order by hand, which does not count, and return its id."""
        self.hold = None
        with httpx2.Client(base_url=self.url, trust_env=False, verify=False) as http:
            http.post(f"{_TRADE}buy", json={"data": data}).raise_for_status()
            asked = {"exchange": data["exch"], "pair": data["pair"]}
            memory = http.post("/api/v1/coremem/single", json=asked).json()["memory"]
        shown = memory[f"{data['exch']}/{data['pair']}"]["openOrders"]
        return next(order["id"] for order in shown if order["amount"] == data["amt"])

    def reset(self, hold: str | None) -> None:
        """Forget what was counted; hold the next order."""
        self.posts, self.taken, self.hold = [], [], hold
        self.held.clear()
        self._free.clear()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_TRADE):
            await self._paper.app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        data = json.loads(body)["data"]
        self.posts.append(data)
        if self.hold == "request":
            await self._wait()
            return
        answer: list[Message] = []

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._paper.app(scope, again, keep)
        if answer[0]["status"] == 200:
            self.taken.append(data)
        if self.hold == "half":
            await send(answer[0])
            text: bytes = answer[1]["body"]
            await send({"type": "http.response.body", "body": text[: len(text) // 2], "more_body": True})
        if self.hold is not None:
            await self._wait()
            return
        for message in answer:
            await send(message)

    async def _wait(self) -> None:
        self.held.set()
        await asyncio.to_thread(self._free.wait, _PATIENCE)

    async def aclose(self) -> None:
        await self._paper.aclose()


@contextmanager
def running() -> Generator[RecordingGateway]:
    """Serve a gateway on loopback, from a thread of its own."""
    gateway = RecordingGateway()
    ready = threading.Event()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def announce(line: str) -> None:
        gateway.url = line.removeprefix("listening on ")
        ready.set()

    async def run() -> None:
        leave = asyncio.Event()
        stop.append((asyncio.get_running_loop(), leave))
        server = asyncio.create_task(serve(gateway, "127.0.0.1", 0, announce))  # pyright: ignore[reportArgumentType] - app and aclose are all it uses
        await leave.wait()
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(_PATIENCE)
        yield gateway
    finally:
        gateway.release()
        loop, leave = stop[0]
        loop.call_soon_threadsafe(leave.set)
        thread.join()
