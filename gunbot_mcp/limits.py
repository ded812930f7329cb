"""The limits of one instance: what an order may be, may cost, and how often. Amounts are decimal text."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import WithJsonSchema

from gunbot_mcp.domain import EXACT


def _money(value: object) -> Decimal:
    plain = isinstance(value, str | int | float | Decimal) and not isinstance(value, bool)
    try:
        # Of what is neither text nor a number, an empty text: it is no decimal either.
        number = Decimal(str(value) if plain else "")
    except InvalidOperation:
        raise ValueError('must be decimal text, for example "250"') from None
    if not number.is_finite() or number < 0:
        raise ValueError("must be finite and not negative")
    return number


Money = Annotated[Decimal, BeforeValidator(_money), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?$"})]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
_DOLLARS = ("USDT", "USDC", "USD", "FDUSD", "DAI", "EUR", "GBP")


def _amounts(dollars: str, btc: str, eth: str, bnb: str) -> dict[str, Decimal]:
    return {name: Decimal(dollars) for name in _DOLLARS} | {
        "BTC": Decimal(btc),
        "ETH": Decimal(eth),
        "BNB": Decimal(bnb),
    }


EXITS_ARE_WIDER = 10
"""By how much, where the user does not say: a cap that keeps somebody from getting out is a danger."""


def _wider(given: dict[str, Any], key: str) -> dict[str, Decimal]:
    """Return the exits' caps that follow from the entries'; none where those are not understood."""
    entries: dict[str, Decimal] = given.get(key) or {}
    return {asset: EXACT.multiply(amount, EXITS_ARE_WIDER) for asset, amount in entries.items()}


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Limits(Section):
    """What an order may be. Amounts are worst-case notionals, fees included, per paying asset."""

    max_order: Annotated[
        dict[str, Money],
        Field(description="Largest worst-case notional of one entry, per paying asset; an asset not named is refused."),
    ] = Field(default_factory=lambda: _amounts("250", "0.005", "0.1", "0.5"))
    max_day: Annotated[
        dict[str, Money],
        Field(description="Largest sum of the worst-case notionals of entries sent per UTC day, per paying asset."),
    ] = Field(default_factory=lambda: _amounts("1000", "0.02", "0.4", "2"))
    max_exit: Annotated[
        dict[str, Money],
        Field(description="The same for one exit (an order that leaves a risk); left out: ten times max_order."),
    ] = Field(default_factory=lambda given: _wider(given, "max_order"))
    max_exit_day: Annotated[
        dict[str, Money],
        Field(description="The same for the exits of a UTC day; left out: ten times max_day."),
    ] = Field(default_factory=lambda given: _wider(given, "max_day"))
    orders_per_day: Annotated[int, Field(ge=0, description="Orders sent per UTC day.")] = 200
    orders_per_minute: Annotated[int, Field(ge=0, description="Orders proposed per minute.")] = 30
    price_band_percent: Annotated[
        Money, Field(description="How far every price of an order may lie from the book, in percent.")
    ] = Decimal(20)
    slippage_percent: Annotated[
        Money, Field(description="Added to the book's price of orders that fill at the market, in percent.")
    ] = Decimal(1)
    fee_percent: Annotated[Money, Field(description="The exchange's fee, in percent, for worst cases.")] = Decimal(
        "0.1"
    )
    duplicate_seconds: Annotated[
        Seconds, Field(description="The same order again within this time needs repeat_of.")
    ] = 60
    code_above: Annotated[
        dict[str, Money],
        Field(description="Above this notional, a human who approves in the client's form also types a short code."),
    ] = Field(default_factory=lambda: _amounts("100", "0.002", "0.04", "0.2"))
    wrong_side: Annotated[
        Literal["warn", "refuse"],
        Field(
            description="A stop or limit on the side of the market where it acts at once: warn the human, or refuse."
        ),
    ] = "warn"
    exchanges: Annotated[list[str], Field(description="Allowed exchanges; empty allows all.")] = []
    pairs: Annotated[
        list[str], Field(description="Allowed pairs, `PAIR` or `EXCHANGE/PAIR`, `*` at the end; empty allows all.")
    ] = []
    without_market_data: Annotated[
        Literal["refuse", "allow"],
        Field(description="An order whose price cannot be compared with a book on a live instance: refuse, or allow."),
    ] = "refuse"
    max_day_loss: Annotated[
        dict[str, Money],
        Field(
            description="Once the day's closed orders, whoever placed them, lost that much as Gunbot recorded it, "
            "entries are refused for the rest of the UTC day, per paying asset; an asset not named has no such limit."
        ),
    ] = Field(default_factory=dict[str, Decimal])
    halt_after_rejections: Annotated[
        int,
        Field(ge=0, description="Once Gunbot rejected so many orders in a row, entries are refused as well; 0: never."),
    ] = 0
