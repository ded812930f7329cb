"""An endpoint that Gunbot does not have, of a shape that no other has: a limit leg and a trailing leg."""

from typing import Annotated

from pydantic import Field

from gunbot_mcp import endpoints
from gunbot_mcp.arguments import Args, Exchange, Number, PairName, RepeatOf
from gunbot_mcp.domain import Capability, Effect, Leg, Place, Side
from gunbot_mcp.endpoints import Endpoint, Result


class LimitOrTrailArgs(Args):
    exchange: Annotated[Exchange, Field(serialization_alias="exch")]
    pair: PairName
    amount: Annotated[Number, Field(serialization_alias="amt")]
    price: Number
    trail: Annotated[Number, Field(serialization_alias="trailBy")]
    repeat_of: RepeatOf = None


ROW = Endpoint(
    name="sell_limit_or_trail",
    method="POST",
    path="/trade/sell/limitortrail",
    args=LimitOrTrailArgs,
    result=Result.SENT,
    effect=Effect.ORDER,
    intent=lambda a: Place(
        side=Side.SELL,
        exchange=a.exchange,
        pair=a.pair,
        amount=a.amount,
        legs=(Leg(limit=a.price), Leg(trail=a.trail)),
    ),
    needs=Capability.OCO,
    about="Binance: sell at price or better, or when the price falls from its high by trail | whichever comes first.",
)
CALL = {"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 52000, "trail": 700}
WITH_IT = (*endpoints.ENDPOINTS, ROW)
"""The table with the row added: all that adding an endpoint takes."""
