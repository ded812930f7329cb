"""What a fresh paper gateway holds: its pairs with their opening prices, its balances, its open positions."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gunbot_mcp.domain import Pair
from gunbot_mcp.exchanges import base_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A pair on one exchange: the price it opens at and the smallest step of that price, both in the paying asset."""

    exchange: str
    name: str
    start: Decimal
    tick: Decimal
    paying: str
    traded: str
    hedge: str | None

    @property
    def key(self) -> str:
        return f"{self.exchange}/{self.name}"

    @property
    def symbol(self) -> str:
        """The market that sets the price: slots of one exchange share it, and so do a pair's long and short side."""
        return f"{base_name(self.exchange)}/{self.paying}-{self.traded}"

    @property
    def holding(self) -> str:
        """Where the traded amount is booked: the asset itself, or the position under the hedge pair's own name."""
        return self.name if self.hedge else self.traded


_PAIRS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "binance": {
        "USDT-BTC": ("51000", "0.01"),
        "USDT-ETH": ("2700", "0.01"),
        "USDT-XRP": ("0.55", "0.00001"),
        "USDT-BNB": ("580", "0.01"),
        "BTC-ETH": ("0.05294", "0.000001"),
    },
    "kraken": {
        "USD-BTC": ("51000", "0.01"),
        "EUR-BTC": ("47000", "0.01"),
        "USDT-BTC": ("51000", "0.01"),
        "USD-ETH": ("2700", "0.01"),
    },
    "mex_gunthy": {"USDT-DOGE": ("0.12", "0.000001")},
    "mex_gunthy#2": {"USDT-DOGE": ("0.12", "0.000001")},
    "bybit": {
        "USDT-BTC-LONG": ("51000", "0.01"),
        "USDT-BTC-SHORT": ("51000", "0.01"),
        "USDT-ETH-LONG": ("2700", "0.01"),
        "USDT-ETH-SHORT": ("2700", "0.01"),
    },
}

_BALANCES: Mapping[str, Mapping[str, str]] = {
    "binance": {"USDT": "1000000", "BTC": "10", "ETH": "100", "XRP": "100000", "BNB": "100"},
    "kraken": {"USD": "1000000", "EUR": "1000000", "USDT": "1000000", "BTC": "10", "ETH": "100"},
    "mex_gunthy": {"USDT": "100000", "DOGE": "1000000"},
    "mex_gunthy#2": {"USDT": "100000", "DOGE": "1000000"},
    "bybit": {"USDT": "1000000"},
}

_POSITIONS: Mapping[str, Mapping[str, str]] = {
    "bybit": {"USDT-BTC-LONG": "5", "USDT-BTC-SHORT": "5", "USDT-ETH-LONG": "50", "USDT-ETH-SHORT": "50"},
}


def _listing(exchange: str, name: str, start: str, tick: str) -> Listing:
    pair = Pair.parse(name)
    if pair is None:
        raise ValueError(f"not a pair: {name}")
    return Listing(
        exchange=exchange,
        name=name,
        start=Decimal(start),
        tick=Decimal(tick),
        paying=pair.paying,
        traded=pair.traded,
        hedge=pair.hedge,
    )


LISTINGS: Mapping[str, Listing] = {
    listing.key: listing
    for exchange, pairs in _PAIRS.items()
    for listing in (_listing(exchange, name, start, tick) for name, (start, tick) in pairs.items())
}


def opening_balances() -> dict[tuple[str, str], Decimal]:
    """Return what every account holds at first: (exchange, asset or hedge pair) → amount."""
    return {
        (exchange, asset): Decimal(amount)
        for table in (_BALANCES, _POSITIONS)
        for exchange, assets in table.items()
        for asset, amount in assets.items()
    }


def listings_of(exchange: str) -> list[Listing]:
    """Return the pairs of one exchange slot, in the table's order; empty for an exchange that is not here."""
    return [listing for listing in LISTINGS.values() if listing.exchange == exchange]
