"""A reverse proxy with TLS, as a user puts before the inbox: its own certificate, and the headers that proxies add."""

import asyncio
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_ADDED = b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nVia: 1.1 tests\r\nConnection: close\r\n"


def _certificate(host: str, folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "proxy.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


@contextmanager
def reverse_proxy(host: str, port: int, to: int, folder: Path) -> Generator[None]:
    """Take TLS on this port of 127.0.0.1, and pass each request on to the port `to`."""

    context = _certificate(host, folder)
    # The loop itself holds its tasks weakly, and one whose browser has gone may be held by nothing else.
    running: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(handle(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # Not left to the server: a browser that never ends its handshake would keep a connection that nobody sees.
            await writer.start_tls(context)
            head = await reader.readuntil(b"\r\n\r\n")
            kept = b"\r\n".join(
                line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")
            )
            inner, outer = await asyncio.open_connection("127.0.0.1", to)
            outer.write(kept + b"\r\n" + _ADDED + b"\r\n")
            sending = asyncio.create_task(_pipe(reader, outer))
            try:
                await _pipe(inner, writer)
            finally:
                sending.cancel()
                await asyncio.wait([sending])
                outer.transport.abort()
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError):
            pass  # a browser opens connections that it does not use
        finally:
            writer.transport.abort()

    started, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        server = await asyncio.start_server(accept, "127.0.0.1", port)
        started.set()
        await stop.wait()
        server.close()
        while running:
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert started.wait(30)
        yield
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()
