"""Which curve each pair follows: the `--market` option, read and checked.

`walk` moves every pair. `manual` moves none: only `POST /paper/price` does. `replay:FILE` moves the first pair
(binance/USDT-BTC) along the file's candles and the others as `walk`; `replay:FILE?key=kraken/USD-BTC` names the pair.
"""

from pathlib import Path

from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.paper.market import Curve, Line, Scale, Still, Walk
from gunbot_mcp.paper.pairs import LISTINGS, Listing
from gunbot_mcp.paper.replay import Replay, read_candles

_KINDS = "walk, manual or replay:FILE"


class Market:
    """All curves of one seed and one `--market` value. `fingerprint` changes when the prices would."""

    def __init__(self, seed: int, spec: str) -> None:
        kind, _, argument = spec.partition(":")
        self._symbols: dict[str, Curve] = {}
        self.fingerprint = spec
        self._seed = None if spec == "manual" else seed
        if kind == "replay" and argument:
            name, _, key = argument.partition("?key=")
            listing = LISTINGS.get(key or next(iter(LISTINGS)))
            if listing is None:
                raise ConfigInvalid(f"unknown pair {clean(key)!r} to replay", "one of " + ", ".join(LISTINGS))
            candles, digest = read_candles(Path(name).expanduser())
            self._symbols[listing.symbol] = Replay(candles)
            self.fingerprint = f"replay:{listing.symbol}:{digest}"
        elif spec not in {"walk", "manual"}:
            raise ConfigInvalid(f"unknown market {clean(spec)!r}", f"one of {_KINDS}")

    def line(self, listing: Listing, opened: int, scale: Scale | None) -> Line:
        """Return the pair's prices in a market that opened at `opened` (epoch milliseconds)."""
        curve = self._symbols.get(listing.symbol)
        if curve is None:
            curve = self._symbols[listing.symbol] = self._curve(listing)
        return Line(curve=curve, opened=opened, tick=listing.tick, scale=scale)

    def _curve(self, listing: Listing) -> Curve:
        start = float(listing.start)
        if self._seed is None:
            return Still(start)
        return Walk(self._seed, f"{listing.paying}-{listing.traded}", start)
