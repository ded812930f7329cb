"""What each exchange can do in Gunbot, and where we know it from.

An exchange declares only what is documented for it. Limit, market and cancel have no documented restriction, so every
exchange has them, also one whose name we do not know; everything else must be declared here or, by the user, in
`[capabilities]` of the config. Slots (`binance#2`) have the capabilities of the name before the `#`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gunbot_mcp.domain import Cancel, Capability, Close, Intent, Pair, Purpose, Side

UNIVERSAL = frozenset({Capability.LIMIT, Capability.MARKET, Capability.CANCEL})
UNIVERSAL_SOURCE = "gunbot.com, Trading and Orders: no exchange restriction is documented"
NAMES_SOURCE = "gunbot.com, internal exchange names"
TOOLS_SOURCE = "Gunbot's own tools and API examples"
BINANCE_SOURCE = "gunbot.com, Trading and Orders: Binance specific endpoints"
BYBIT_SOURCE = "gunbot.com, Trading and Orders: Bybit specific endpoints (futures)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One exchange: `extras` maps each capability beyond the universal three to its source."""

    name: str
    spot: bool = True
    futures: bool = False
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
    Exchange(name="bitmex", spot=False, futures=True),
    Exchange(name="bitmex_testnet", spot=False, futures=True),
    Exchange(name="bybit", futures=True, extras={Capability.CLOSE: BYBIT_SOURCE}),
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
    Exchange(name="hyperliquid", futures=True),
    Exchange(name="kraken"),
    Exchange(name="krakenFutures", spot=False, futures=True),
    Exchange(name="kucoin"),
    Exchange(name="mex_gunthy", named_by=TOOLS_SOURCE),
    Exchange(name="mexc"),
    Exchange(name="okex5", futures=True),
    Exchange(name="okgunbot", named_by=TOOLS_SOURCE),
    Exchange(name="poloniex"),
)

EXCHANGES: Mapping[str, Exchange] = {exchange.name: exchange for exchange in _KNOWN}


def base_name(exchange: str) -> str:
    """Return the exchange of a slot: `binance#2` → `binance`."""
    return exchange.partition("#")[0]


def purpose_of(intent: Intent) -> Purpose | None:
    """Return whether an order enters a risk or leaves one; None for a cancel.

    An exit is a close, a sell of a `-LONG`, a buy of a `-SHORT`, and a sell where an exchange has nothing but spot:
    elsewhere a sell may open a short position.
    """
    if isinstance(intent, Cancel):
        return None
    pair, known = Pair.parse(intent.pair), EXCHANGES.get(base_name(intent.exchange))
    if isinstance(intent, Close):
        return Purpose.EXIT
    if pair is not None and pair.hedge is not None:
        exits = intent.side is (Side.SELL if pair.hedge == "LONG" else Side.BUY)
    else:
        exits = intent.side is Side.SELL and known is not None and known.spot and not known.futures
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
