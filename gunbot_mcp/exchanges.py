"""What each exchange can do in Gunbot, how it counts amounts, how it is written, and where we know it from.

An exchange declares only what is documented for it. Limit, market and cancel have no documented restriction, so every
exchange has them, also one whose name we do not know; everything else must be declared here or, by the user, in
`[capabilities]` of the config. Slots (`binance#2`) have the capabilities of the name before the `#`.

An amount counts the traded asset, or contracts that each hold some of it: thousands of it on some pairs. Where nobody
says which, it is unknown, and an order's worst case with it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gunbot_mcp.domain import Cancel, Capability, Close, Intent, Pair, Purpose, Side

UNIVERSAL = frozenset({Capability.LIMIT, Capability.MARKET, Capability.CANCEL})
UNIVERSAL_SOURCE = "gunbot.com, Trading and Orders: no exchange restriction is documented"
NAMES_SOURCE = "gunbot.com, internal exchange names"
PAGES_SOURCE = "gunbot.com, pages about single exchanges"
TOOLS_SOURCE = "Gunbot's own tools and API examples"
BINANCE_SOURCE = "gunbot.com, Trading and Orders: Binance specific endpoints"
BYBIT_SOURCE = "gunbot.com, Trading and Orders: Bybit specific endpoints (futures)"
AMOUNT_SOURCE = "gunbot.com, Trading and Orders: amt is in the traded asset"
CLOSE_SOURCE = "gunbot.com, Trading and Orders: for Bybit futures amt is the amount of the asset"
CONTRACTS_SOURCE = "older documents and users' reports: limits and amounts are in contracts"
UNKNOWN_SOURCE = "nothing that is published says how its futures count"


class Amounts(StrEnum):
    """What an amount counts."""

    ASSET = "asset"
    CONTRACTS = "contracts"
    UNKNOWN = "unknown"


Counted = tuple[Amounts, str]
"""What an amount counts, and where we know it from."""

_IN_ASSET: Counted = (Amounts.ASSET, AMOUNT_SOURCE)
_IN_CONTRACTS: Counted = (Amounts.CONTRACTS, CONTRACTS_SOURCE)
_NOT_KNOWN: Counted = (Amounts.UNKNOWN, UNKNOWN_SOURCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One exchange: `extras` maps each capability beyond the universal three to its source.

    `on_futures` says how amounts of its futures count; on spot they count the asset everywhere. `told_apart` says
    whether the names of its futures differ from those of its spot pairs (`-LONG`, `-SHORT`, or a form of their own).
    """

    name: str
    spot: bool = True
    futures: bool = False
    told_apart: bool = True
    on_futures: Counted = _NOT_KNOWN
    named_by: str = NAMES_SOURCE
    extras: Mapping[Capability, str] = field(default_factory=dict[Capability, str])

    @property
    def capabilities(self) -> frozenset[Capability]:
        return UNIVERSAL | self.extras.keys()


_KNOWN = (
    Exchange(name="alpaca"),
    Exchange(name="asterFutures", spot=False, futures=True),
    Exchange(name="asterdex"),
    Exchange(
        name="binance",
        extras={
            Capability.STOP_LIMIT: BINANCE_SOURCE,
            Capability.TRAILING_STOP: BINANCE_SOURCE,
            Capability.OCO: BINANCE_SOURCE,
        },
    ),
    Exchange(name="binanceFutures", spot=False, futures=True),
    Exchange(name="binanceus"),
    Exchange(name="bingx"),
    Exchange(name="bitfinex"),
    Exchange(name="bitget", futures=True),
    Exchange(name="bitmex", spot=False, futures=True, on_futures=_IN_CONTRACTS),
    Exchange(name="bitmex_testnet", spot=False, futures=True, on_futures=_IN_CONTRACTS),
    Exchange(
        name="bybit",
        futures=True,
        on_futures=(Amounts.ASSET, CLOSE_SOURCE),
        extras={Capability.CLOSE: BYBIT_SOURCE},
    ),
    Exchange(name="bydfi", spot=False, futures=True, named_by=PAGES_SOURCE),
    Exchange(name="cex"),
    Exchange(name="coinbase"),
    Exchange(name="cryptocom"),
    Exchange(name="dydx", spot=False, futures=True),
    Exchange(name="dydx4", spot=False, futures=True),
    Exchange(name="futures_gunthy", spot=False, futures=True, named_by=TOOLS_SOURCE),
    Exchange(name="gateio"),
    Exchange(name="hitbtc"),
    Exchange(name="huobi"),
    # Known for perpetuals, though not from Gunbot's pages: treated as futures, so that a human is asked more often.
    Exchange(name="hyperliquid", futures=True, told_apart=False),
    Exchange(name="kraken"),
    Exchange(name="krakenFutures", spot=False, futures=True, on_futures=_IN_CONTRACTS),
    Exchange(name="kucoin"),
    Exchange(name="mex_gunthy", named_by=TOOLS_SOURCE),
    Exchange(name="mexc"),
    Exchange(name="okex5", futures=True, on_futures=_IN_CONTRACTS),
    Exchange(name="okgunbot", named_by=TOOLS_SOURCE),
    Exchange(name="pancakeswap", named_by=PAGES_SOURCE),
    Exchange(name="poloniex"),
)

EXCHANGES: Mapping[str, Exchange] = {exchange.name: exchange for exchange in _KNOWN}


_BRANDS: Mapping[str, str] = {
    "okx": "okex5",
    "okex": "okex5",
    "gate": "gateio",
    "dydxv4": "dydx4",
    "pancake": "pancakeswap",
    "coinbasepro": "coinbase",
    "bybitfutures": "bybit",
    "bitgetfutures": "bitget",
    "okxfutures": "okex5",
}
"""What people call an exchange, in small letters without punctuation, and how Gunbot writes it."""


def base_name(exchange: str) -> str:
    """Return the exchange of a slot: `binance#2` → `binance`."""
    return exchange.partition("#")[0]


def right_name(exchange: str) -> str:
    """Return how Gunbot writes the exchange or slot that somebody means; a name that nobody knows stays as it is.

    `Binance` → `binance`, `okx` → `okex5`, `binance#1` → `binance` (the first slot has no number), `binance#02` →
    `binance#2`. One account must have one spelling: locks, duplicates and allow-lists compare names.
    """
    name, hash_, slot = exchange.partition("#")
    if name not in EXCHANGES:
        plain = _plain(name)
        known = next((one for one in EXCHANGES if _plain(one) == plain), None)
        name = known or _BRANDS.get(plain, name)
    if not hash_ or not (slot.isascii() and slot.isdigit()):
        return name + hash_ + slot
    number = slot.lstrip("0")
    return name if number in {"", "1"} else f"{name}#{number}"


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def amounts_of(exchange: str, pair: str) -> Counted:
    """Return what an amount of this pair counts, and where we know it from.

    A `-LONG`, a `-SHORT` and a name of another form than `PAYING-TRADED` are futures, wherever they are; a plain name
    is spot where the exchange has spot, unless its futures are written in the same way.
    """
    known = EXCHANGES.get(base_name(exchange))
    parsed = Pair.parse(pair)
    plain = parsed is not None and parsed.hedge is None
    if known is None:
        return _IN_ASSET if plain else _NOT_KNOWN
    spot = plain and known.spot and (known.told_apart or not known.futures)
    return _IN_ASSET if spot else known.on_futures


def purpose_of(intent: Intent) -> Purpose | None:
    """Return whether an order enters a risk or leaves one; None for a cancel. See `purpose`."""
    if isinstance(intent, Cancel):
        return None
    if isinstance(intent, Close):
        return Purpose.EXIT
    return purpose(intent.exchange, intent.pair, intent.side)


def purpose(exchange: str, pair: str, side: Side) -> Purpose:
    """Return whether a buy or sell, that closes no position by name, enters a risk or leaves one.

    An exit is a close, a sell of a `-LONG`, a buy of a `-SHORT`, and a sell where an exchange has nothing but spot:
    elsewhere a sell may open a short position.
    """
    parsed, known = Pair.parse(pair), EXCHANGES.get(base_name(exchange))
    if parsed is not None and parsed.hedge is not None:
        exits = side is (Side.SELL if parsed.hedge == "LONG" else Side.BUY)
    else:
        exits = side is Side.SELL and known is not None and known.spot and not known.futures
    return Purpose.EXIT if exits else Purpose.ENTRY


class CapabilityMatrix:
    """The table above, widened by the user's own declarations (`extra`: exchange name → capabilities)."""

    def __init__(self, extra: Mapping[str, Iterable[Capability]] | None = None) -> None:
        self._extra = {name: frozenset(capabilities) for name, capabilities in (extra or {}).items()}

    def of(self, exchange: str) -> frozenset[Capability]:
        """Return what `exchange` (a name or a slot) can do; an unknown name has the universal three."""
        name = base_name(exchange)
        known = EXCHANGES.get(name)
        return (known.capabilities if known else UNIVERSAL) | self._extra.get(name, frozenset())

    def exchanges_with(self, capability: Capability) -> list[str]:
        """Return the names that have `capability`, documented ones first."""
        documented = [name for name, exchange in EXCHANGES.items() if capability in exchange.capabilities]
        declared = sorted(name for name, extra in self._extra.items() if capability in extra and name not in documented)
        return documented + declared

    def source(self, exchange: str, capability: Capability) -> str | None:
        """Return where we know from that `exchange` can do `capability`, or None if it cannot."""
        name = base_name(exchange)
        known = EXCHANGES.get(name)
        if known and capability in known.extras:
            return known.extras[capability]
        if capability in UNIVERSAL:
            return UNIVERSAL_SOURCE
        return "your config, [capabilities]" if capability in self._extra.get(name, frozenset()) else None

    def rows(self) -> list[tuple[str, bool, bool, frozenset[Capability]]]:
        """Return (name, spot, futures, capabilities) of every known or declared exchange, by name."""
        names = sorted({*EXCHANGES, *self._extra}, key=str.lower)
        blank = Exchange(name="", spot=False)
        return [
            (name, EXCHANGES.get(name, blank).spot, EXCHANGES.get(name, blank).futures, self.of(name)) for name in names
        ]
