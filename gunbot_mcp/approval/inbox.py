"""The inbox's address: where it is said, and how it is proven before anybody is sent there.

`gunbot-mcp inbox` serves the page of every instance of a state folder on one fixed port. A server names that address
only after the process that listens there has answered a fresh nonce with an HMAC whose key lies in the state folder: a
stranger on the port cannot. `http://localhost` leads a browser to [::1] first, so both loopback addresses must answer.
"""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import httpx2

from gunbot_mcp.files import write_private

PORT = 8717
HOSTS = ("127.0.0.1", "::1")
_PORTS = range(1, 65_536)
_DOMAIN = "gunbot-mcp/inbox/v1"
_ANNOUNCED, _KEY = "inbox.json", "inbox.key"
_KEY_BYTES = 32
_PATIENCE = 1.0
_LONGEST = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Serves:
    """One instance that an inbox can send for, and its Gunbot; `mark` tells that Gunbot without naming it."""

    instance: str
    live: bool
    mark: str


def serves(folder: Path, *, instance: str, live: bool, url: str) -> Serves:
    """Return how an inbox of this state folder names an instance.

    Raises:
        OSError: the key of the state folder cannot be read or made.
    """
    said = f"{_DOMAIN}/gunbot\n{instance}\n{live}\n{url}"
    return Serves(instance=instance, live=live, mark=hmac.new(_key(folder), said.encode(), hashlib.sha256).hexdigest())


def announce(folder: Path, port: int) -> None:
    """Write down the port for this state folder's servers. That alone proves nothing."""
    write_private(folder / _ANNOUNCED, json.dumps({"port": port}))


def withdraw(folder: Path, port: int) -> None:
    """Forget what `announce` wrote down, unless another inbox has written since."""
    if announced(folder) == port:
        (folder / _ANNOUNCED).unlink(missing_ok=True)


def statement(folder: Path, *, nonce: str, port: int, served: Sequence[Serves]) -> dict[str, Any]:
    """Return what an inbox answers to a nonce: for which instances it can send, with the proof."""
    said = {
        "nonce": nonce,
        "port": port,
        "serves": [{"instance": one.instance, "live": one.live, "mark": one.mark} for one in served],
    }
    return {**said, "proof": _proof(_key(folder), said)}


async def find(folder: Path, *, instance: str, live: bool, url: str) -> str | None:
    """Return the address of an inbox that runs now and can send for this instance, or None. Never raises."""
    port = announced(folder)
    if port is None:
        return None
    try:
        wanted = serves(folder, instance=instance, live=live, url=url)
    except OSError:
        return None
    return f"http://localhost:{port}" if await proven_at(folder, port, wanted) else None


async def proven_at(folder: Path, port: int, wanted: Serves) -> bool:
    """Return whether whoever listens at this port, on every loopback address, proves that it can send for that."""
    hosts = HOSTS if has_ipv6() else HOSTS[:1]
    for host in hosts:
        if not await _is_proven(folder, host, port, wanted):
            return False
    return True


def announced(folder: Path) -> int | None:
    """Return the port that an inbox of this state folder wrote down, whether it still runs or not."""
    try:
        port: object = json.loads((folder / _ANNOUNCED).read_text(encoding="utf-8"))["port"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return port if isinstance(port, int) and port in _PORTS else None


def has_ipv6() -> bool:
    """Return whether this machine has the loopback address [::1]."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def _is_proven(folder: Path, host: str, port: int, wanted: Serves) -> bool:
    nonce = secrets.token_urlsafe(24)
    name = f"[{host}]" if ":" in host else host
    body = bytearray()
    try:
        with anyio.fail_after(_PATIENCE):
            async with (
                httpx2.AsyncClient(verify=False, trust_env=False) as client,
                client.stream(
                    "GET", f"http://{name}:{port}/inbox?nonce={nonce}", headers={"Host": f"localhost:{port}"}
                ) as answer,
            ):
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > _LONGEST:
                        return False
        found = cast("dict[str, Any]", json.loads(body))
        proof = str(found.pop("proof"))
        own = hmac.compare_digest(_proof(_key(folder), found).encode(), proof.encode())
        meant = {"instance": wanted.instance, "live": wanted.live, "mark": wanted.mark}
        return own and found["nonce"] == nonce and found["port"] == port and meant in found["serves"]
    except (httpx2.HTTPError, OSError, TimeoutError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _proof(key: bytes, said: Mapping[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, f"{_DOMAIN}\n{text}".encode(), hashlib.sha256).hexdigest()


def _key(folder: Path) -> bytes:
    """Return the state folder's key, made when it is first needed; of two processes at once, one makes it."""
    path = folder / _KEY
    with contextlib.suppress(FileNotFoundError):
        key = path.read_bytes()
        if len(key) == _KEY_BYTES:
            return key
    draft = folder / f".{_KEY}.{secrets.token_hex(8)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
    try:
        # A link fails where the name exists: the first one stays.
        os.link(draft, path)
    except FileExistsError:
        if len(path.read_bytes()) != _KEY_BYTES:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path.read_bytes()
