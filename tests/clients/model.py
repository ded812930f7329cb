"""A stand-in model on loopback: it calls the tools that a test wants, in order, and keeps what it is told.

It speaks Gemini's `streamGenerateContent` and OpenAI's `responses`, as much of them as Gemini CLI and Codex need.
"""

import json
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """A call that the model makes, and what happens before it goes on after the answer."""

    tool: str
    arguments: Json
    then: Callable[[str], None] = lambda _: None


@dataclass(slots=True)
class Model:
    """What the model wants, what tools it was offered, and what it was told."""

    wishes: list[Wish]
    url: str = ""
    schemas: Json = field(default_factory=dict[str, Any])
    told: list[str] = field(default_factory=list[str])
    requests: list[Json] = field(default_factory=list[Json])
    _asked: int = 0

    def next(self, offered: Mapping[str, Json], answers: list[str]) -> tuple[str, Json] | None:
        """Return the call to make now: the name as it is offered, and the arguments; None at the end."""
        for name, schema in offered.items():
            self.schemas[_bare(name)] = schema
        if len(answers) > len(self.told):
            self.told.append(answers[-1])
            self.wishes[self._asked - 1].then(answers[-1])
        if self._asked > len(self.told) or self._asked == len(self.wishes) or not offered:
            return None
        wish = self.wishes[self._asked]
        names = [name for name in offered if _bare(name) == wish.tool]
        if not names:
            return None
        self._asked += 1
        return names[0], wish.arguments


def _bare(name: str) -> str:
    """Return our name of a tool: clients put the server's before it."""
    return name.removeprefix("mcp__gunbot__").removeprefix("mcp_gunbot_").removeprefix("gunbot__")


def _gemini(model: Model, body: Json) -> list[Json]:
    offered: dict[str, Json] = {}
    for tool in body.get("tools", []):
        for declared in tool.get("functionDeclarations", []):
            offered[declared["name"]] = declared.get("parametersJsonSchema") or declared.get("parameters") or {}
    answers = [
        json.dumps(part["functionResponse"]["response"], ensure_ascii=False)
        for content in body.get("contents", [])
        for part in content.get("parts", [])
        if "functionResponse" in part and _bare(part["functionResponse"]["name"]) in {w.tool for w in model.wishes}
    ]
    call = model.next(offered, answers)
    part: Json = {"text": "done"} if call is None else {"functionCall": {"name": call[0], "args": call[1]}}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    return [{"candidates": [candidate], "usageMetadata": usage}]


def _openai(model: Model, body: Json) -> list[Json]:
    offered: dict[str, Json] = {}
    spaces: dict[str, str] = {}
    for tool in body.get("tools", []):
        for one in tool.get("tools", []) if tool.get("type") == "namespace" else [tool]:
            if one.get("type") == "function":
                offered[one["name"]] = one.get("parameters") or {}
                if tool.get("type") == "namespace":
                    spaces[one["name"]] = tool["name"]
    answers = [_said(item["output"]) for item in body.get("input", []) if item.get("type") == "function_call_output"]
    call = model.next(offered, answers)
    if call is None:
        content: list[Json] = [{"type": "output_text", "text": "done", "annotations": []}]
        item: Json = {"type": "message", "role": "assistant", "id": "m", "status": "completed", "content": content}
    else:
        number = f"call_{len(answers)}"
        item = {"type": "function_call", "id": number, "call_id": number, "name": call[0]}
        item |= {"arguments": json.dumps(call[1])}
        if call[0] in spaces:
            item["namespace"] = spaces[call[0]]
    used = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    response = {"id": f"r{len(model.requests)}", "object": "response", "status": "completed", "output": [item]}
    return [
        {"type": "response.created", "response": {"id": response["id"]}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {**response, "usage": used}},
    ]


def _said(output: object) -> str:
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


@contextmanager
def serving(model: Model) -> Generator[Model]:
    """Serve on a free port of 127.0.0.1, whose address is in `model.url`."""
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("application/json", b'{"models": [], "data": []}')

        def do_POST(self) -> None:
            body = cast("Json", json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}"))
            gemini = "enerateContent" in self.path
            with one_at_a_time:
                model.requests.append({"path": self.path, "body": body})
                events = _gemini(model, body) if gemini else _openai(model, body)
            if gemini and ":stream" not in self.path:
                self._answer("application/json", json.dumps(events[0]).encode())
                return
            lines = [("" if gemini else f"event: {one['type']}\n") + f"data: {json.dumps(one)}\n\n" for one in events]
            self._answer("text/event-stream", "".join(lines).encode())

        def _answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server names it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    model.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
