"""The README's pictures: where they lie, what they show, and how a screenshot becomes small."""

import hashlib
import json
import struct
import zlib
from pathlib import Path

from gunbot_mcp.history.charts.png import with_fewer_colours

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
SOURCES = FOLDER / "sources.json"
NAMES = ("page", "card", "ladder", "inbox", "chart")
SCHEMES = ("light", "dark")
MOST_BYTES = 60_000
_SHOWN = {
    "page": ("gunbot_mcp/web/templates/*.html", "gunbot_mcp/web/assets/page.js", "gunbot_mcp/web/assets/ticket.css"),
    "card": ("gunbot_mcp/web/assets/card.*", "gunbot_mcp/web/assets/ticket.css"),
    "ladder": ("gunbot_mcp/tickets/ladder.py", "gunbot_mcp/web/assets/ticket.css"),
    "inbox": ("gunbot_mcp/web/templates/*.html", "gunbot_mcp/web/assets/ticket.css"),
    "chart": ("gunbot_mcp/history/charts/spec.py", "gunbot_mcp/web/assets/chart.css"),
}
"""The files that make a picture look as it does: if one changes, its pictures are taken anew."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = (8, 2, 0, 0, 0)
_NONE, _UP = 0, 2


def file(name: str, scheme: str) -> Path:
    return FOLDER / f"{name}-{scheme}.png"


def sources() -> dict[str, str]:
    """Return a hash over what each picture shows."""
    found: dict[str, str] = {}
    for name, patterns in _SHOWN.items():
        files = sorted({path for pattern in patterns for path in ROOT.glob(pattern)})
        whole = hashlib.sha256()
        for path in files:
            text = path.read_text(encoding="utf-8")
            whole.update(f"{path.relative_to(ROOT).as_posix()}\n{len(text)}\n{text}".encode())
        found[name] = whole.hexdigest()
    return found


def recorded() -> dict[str, str]:
    """Return the hashes of when the pictures were taken."""
    return dict(json.loads(SOURCES.read_text(encoding="utf-8")))


def small(png: bytes) -> bytes:
    """Return a browser's screenshot with at most 64 colours."""
    return with_fewer_colours(_plain(png))


def _plain(png: bytes) -> bytes:
    """Return the screenshot (red, green, blue, any filter) with an opaque alpha and without filters."""
    chunks: list[tuple[bytes, bytes]] = []
    at = len(_SIGNATURE)
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += 12 + size
    width, height, *kind = struct.unpack(">IIBBBBB", chunks[0][1])
    assert tuple(kind) == _RGB
    raw = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
    stride = width * 3
    above = bytes(stride)
    lines = bytearray()
    for start in range(0, len(raw), stride + 1):
        above = _unfiltered(raw[start], raw[start + 1 : start + 1 + stride], above)
        line = bytearray(b"\xff" * (width * 4))
        for channel in range(3):
            line[channel::4] = above[channel::3]
        lines += b"\0" + line
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(lines), 1)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def _unfiltered(kind: int, row: bytes, above: bytes) -> bytes:
    """Return a row's bytes; PNG (ISO 15948, section 9) writes each as a distance from its neighbours."""
    if kind == _NONE:
        return row
    if kind == _UP:
        return bytes((byte + up) & 255 for byte, up in zip(row, above, strict=True))
    found = bytearray(row)
    for at, byte in enumerate(row):
        left = found[at - 3] if at > 2 else 0
        corner = above[at - 3] if at > 2 else 0
        match kind:
            case 1:  # the one before
                guess = left
            case 3:  # the middle of both
                guess = (left + above[at]) // 2
            case _:
                guess = _paeth(left, above[at], corner)
        found[at] = (byte + guess) & 255
    return bytes(found)


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda near: abs(guess - near))
