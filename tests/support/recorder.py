"""A gateway that records every request whole and answers from a script, and runtimes in front of it."""

import contextlib
import json
import os
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gunbot_mcp.config import Instance, load
from gunbot_mcp.guard.timing import Timing
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.runtime import Runtime, Seams

ROOT = Path(__file__).parent.parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
SHORTLY = 0.001
"""Seconds instead of tenths, where a read is tried again."""
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoidGVzdHMifQ.c2lnbmF0dXJl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it arrived: `target` is the raw path with its query, header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def data(self) -> Any:  # noqa: ANN401 - any JSON value
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes to write, and what happens then: `keep` the connection, `close` it, `reset` it, or `hang`.

    `late` is how many seconds pass before the first byte, `drip` before every other one; `after` is waited for first.
    """

    raw: bytes
    then: str = "keep"
    late: float = 0
    drip: float = 0
    after: threading.Event | None = None


@dataclass(slots=True)
class Recorder:
    """A Gunbot that answers as scripted and records every request."""

    url: str = ""
    requests: list[Request] = field(default_factory=list[Request])
    _replies: dict[str, list[Reply]] = field(default_factory=dict[str, list[Reply]])
    _hooks: dict[str, Callable[[], None]] = field(default_factory=dict[str, Callable[[], None]])
    _arrived: threading.Condition = field(default_factory=threading.Condition)
    released: threading.Event = field(default_factory=threading.Event)

    def on(self, path: str, *replies: Reply) -> None:
        """Answer requests below `/api/v1` + `path` with `replies` in turn; the last one stays. `*` is every path."""
        self._replies[path] = list(replies)

    def show(self, *orders: object, key: str = "binance/USDT-BTC") -> None:
        """Show exactly these records as the open orders of one `exchange/pair`."""
        self.on("/coremem/single", self.json({"memory": {key: {"openOrders": orders}}}))

    def when(self, path: str, hook: Callable[[], None]) -> None:
        """Call `hook`, in this gateway's thread, when a request for the path has arrived and before it is answered."""
        self._hooks[path] = hook

    @property
    def trades(self) -> list[tuple[str, bytes]]:
        """Path and body of every order and cancel that arrived."""
        below = [(request.path.removeprefix("/api/v1"), request.body) for request in self.requests]
        return [(path, body) for path, body in below if path.startswith("/trade/")]

    def to(self, path: str) -> list[Request]:
        """Return the requests that came for one path below `/api/v1`."""
        return [request for request in self.requests if request.path == f"/api/v1{path}"]

    def paths(self, at_least: int) -> list[str]:
        """Return the paths of all requests, once that many are there: a client that gave up may be ahead of them."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self.requests) >= at_least, timeout=30)
            return [request.path for request in self.requests]

    def take(self, request: Request) -> Reply:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
            path = request.path.removeprefix("/api/v1")
            self._hooks.get(path, lambda: None)()
            script = self._replies.get(path) or self._replies.get("*")
            if script is None:
                return self.json(_gunbot_would_say(path))
            return script.pop(0) if len(script) > 1 else script[0]

    @staticmethod
    def http(
        status: int, body: bytes, content_type: str = "application/json", then: str = "keep", extra: str = ""
    ) -> Reply:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        return Reply(head.encode() + body, then)

    @staticmethod
    def json(value: object, status: int = 200) -> Reply:
        text = value if isinstance(value, str) else json.dumps(value)
        return Recorder.http(status, text.encode())

    @staticmethod
    def raw(data: bytes, then: str = "close") -> Reply:
        return Reply(data, then)


def _gunbot_would_say(path: str) -> object:
    if path.startswith("/trade/"):
        return {"status": "success", "message": "Order sent"}
    known: dict[str, object] = {
        "/orders": (FIXTURES / "sample_orders.json").read_text(encoding="utf-8"),
        "/orders/day": {"days": [], "orders": [], "closeOrders": []},
        "/orders/page": {"total": 0, "page": 0, "data": []},
        "/orders/page/multi": {"total": 0, "totalCount": 0, "page": 0, "data": []},
        "/market/orderbook": {"data": {"ask": [[50001, 2], [50002, 3]], "bid": [[49999, 1.5], [49998, 4]]}},
        "/balances": [{"Asset": "USDT", "Exchange": "binance", "Available Qty": "1000000.5", "On Order": "0.0"}],
        "/coremem": {"memory": {}},
        "/coremem/single": {"memory": {}},
        "/time": {"serverTime": 1731617894238},
        "/pairs": {"status": "success", "pairList": ["USDT-BTC"]},
        "/auth/status": {"code": 200, "isDemo": False, "status": "success", "message": "Authenticated"},
        "/auth/login": {"status": "success", "token": TOKEN},
    }
    return known.get(path, {"status": "error", "message": "Invalid input"})


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, recorder: Recorder, tls: ssl.SSLContext | None) -> None:
        self.recorder = recorder
        self.tls = tls
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that break off are part of the tests."""

    def stop(self) -> None:
        self.recorder.released.set()
        self.shutdown()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = cast("_Server", self.server)
        connection = cast("socket.socket", self.request)
        if server.tls is not None:
            connection = server.tls.wrap_socket(connection, server_side=True)
        server.open.add(connection)
        try:
            with connection, connection.makefile("rb") as stream:
                while (request := self._read(stream)) is not None:
                    if not self._answer(connection, server.recorder.take(request), server.recorder):
                        return
        finally:
            server.open.discard(connection)

    @staticmethod
    def _answer(connection: socket.socket, reply: Reply, recorder: Recorder) -> bool:
        if reply.after is not None:
            reply.after.wait(60)
        recorder.released.wait(reply.late)
        whole = len(reply.raw) if not reply.drip else 1
        for start in range(0, len(reply.raw), max(whole, 1)):
            if start:
                recorder.released.wait(reply.drip)
            connection.sendall(reply.raw[start : start + whole])
        if reply.then == "hang":
            recorder.released.wait(60)
        if reply.then == "reset":
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # on, 0 seconds: RST instead of FIN
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return reply.then == "keep"

    @staticmethod
    def _read(stream: BinaryIO) -> Request | None:
        first = stream.readline()
        if not first.strip():
            return None
        method, target, _ = first.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while line := stream.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            assert name.lower() not in headers, f"{name} was sent twice"
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", "0")))
        return Request(method=method, target=target, headers=headers, body=body)


@contextlib.contextmanager
def recording(tls: ssl.SSLContext | None = None) -> Generator[Recorder]:
    """Serve a recorder on a free port of 127.0.0.1, over TLS if a context is given."""
    recorder = Recorder()
    with _Server(recorder, tls) as server:
        recorder.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield recorder
        finally:
            server.stop()
            thread.join()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as served:
        yield served


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1 and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gunbot.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, private


@pytest.fixture
def tls_recorder(certificate: tuple[Path, Path]) -> Iterator[Recorder]:
    """A recorder behind the self-signed certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with recording(context) as served:
        yield served


@pytest.fixture
def refusing_url() -> Iterator[str]:
    """The URL of a port that is taken and not listened on: every connection is refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def fixtures() -> Path:
    return FIXTURES


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
async def gunbot(recorder: Recorder) -> AsyncIterator[Gunbot]:
    """The adapter, with the recorder as its Gunbot."""
    async with adapter(recorder.url) as client:
        yield client


def adapter(url: str) -> Gunbot:
    """Return the adapter of a Gunbot at a plain `url`; a TLS context that nobody needs would cost each test 50 ms."""
    instance = Instance.model_validate({"url": url, "token": TOKEN, "read_timeout": 60})
    return Gunbot(instance, transport=httpx2.AsyncHTTPTransport(verify=False), backoff=SHORTLY)


class Redirected(httpx2.AsyncHTTPTransport):
    """Takes the place of the embedded paper gateway: the same requests, over the network, to another address."""

    def __init__(self, url: str) -> None:
        super().__init__(verify=False)
        self._url = httpx2.URL(url)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme=self._url.scheme, host=self._url.host, port=self._url.port)
        return await super().handle_async_request(request)


def recorded(recorder: Recorder) -> Seams:
    """Return the seams of a paper instance whose gateway is the recorder; nothing else about it is replaced."""
    return Seams(transport=Redirected(recorder.url), backoff=SHORTLY)


@pytest.fixture
async def runtime(recorder: Recorder) -> AsyncIterator[Runtime]:
    """A paper instance in auto mode with wide limits, whose gateway is the recorder: orders pass without a human."""
    amounts = {"USDT": "1e30", "BTC": "1e30"}
    limits = {
        "max_order": amounts,
        "max_day": amounts,
        "price_band_percent": "1e30",
        "orders_per_minute": 1_000_000,
        "orders_per_day": 1_000_000,
        "duplicate_seconds": 0,
    }
    settings = load(instances={"paper": {"mode": "auto", "token": TOKEN, "read_timeout": 60, "limits": limits}})
    # No look in the background: it would be counted with the next call.
    async with Runtime(settings, seams=replace(recorded(recorder), timing=Timing(looks=0))) as running:
        yield running


@pytest.fixture
async def read_only(recorder: Recorder) -> AsyncIterator[Runtime]:
    """A paper instance in read-only mode, whose gateway is the recorder."""
    async with Runtime(load(mode="read-only"), seams=recorded(recorder)) as running:
        yield running


@pytest.fixture
def child_environment(clean_environment: Path) -> dict[str, str]:
    """The environment of a child process: this checkout, a state folder of its own, nothing of the user's."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "", "GUNBOT_MCP_HOME": str(clean_environment)}


@pytest.fixture
def command() -> list[str]:
    """The console script, as an argument vector."""
    return [sys.executable, "-m", "gunbot_mcp"]
