"""A smaller PNG of the same picture: at most 64 colours, for which a chart needs a tenth of the bytes."""

import itertools
import struct
import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PLAIN = (8, 6, 0, 0, 0)
"""Eight bits, red green blue alpha, deflated, filters by row, not interlaced: what the renderer writes."""
_PIXEL = 4
_SUB = 1
COLOURS = 64


def with_fewer_colours(png: bytes) -> bytes:
    """Return the picture with at most 64 colours, the most frequent ones; unchanged where it is of another kind."""
    if not png.startswith(_SIGNATURE):
        return png
    chunks = list(_chunks(png))
    width, height, *kind = struct.unpack(">IIBBBBB", chunks[0][1])
    raw = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
    stride = width * _PIXEL + 1
    rows = [raw[at : at + stride] for at in range(0, len(raw), stride)]
    if tuple(kind) != _PLAIN or any(row[0] not in {0, _SUB} for row in rows):
        return png
    pixels = memoryview(b"".join(map(_unfiltered, rows))).cast("I")
    index, palette = _palette(Counter(pixels))
    shown = bytes(map(index.__getitem__, pixels))
    lines = b"".join(b"\0" + shown[at : at + width] for at in range(0, len(shown), width))
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += 12 + size


def _unfiltered(row: bytes) -> bytes:
    """Return a row's pixels: where it is filtered, each byte was written as its distance from the pixel before."""
    if row[0] == 0:
        return row[1:]
    found = bytearray(len(row) - 1)
    low = 0 if sys.byteorder == "little" else array("I").itemsize - 1
    for channel in range(_PIXEL):
        sums = array("I", itertools.accumulate(row[1 + channel :: _PIXEL]))
        found[channel::_PIXEL] = sums.tobytes()[low :: sums.itemsize]
    return bytes(found)


def _palette(counted: Counter[int]) -> tuple[dict[int, int], bytes]:
    """Return which entry each pixel value becomes, and the palette."""
    order = sys.byteorder
    chosen = [value.to_bytes(_PIXEL, order)[:3] for value, _ in counted.most_common(COLOURS)]

    def nearest(value: int) -> int:
        colour = value.to_bytes(_PIXEL, order)[:3]
        return min(
            range(len(chosen)), key=lambda at: sum((a - b) ** 2 for a, b in zip(chosen[at], colour, strict=True))
        )

    return {value: nearest(value) for value in counted}, b"".join(chosen)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
