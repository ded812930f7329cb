"""THE TABLE: Gunbot's seventeen trading and order endpoints, one row each. Read this first.

From a row derive the MCP tool with its schema and annotations, the command line's `call`, the capability check, the
confirmation policy and the ticket's sentence, the adapter's HTTP call, the paper gateway's route and fill, the file in
`schemas/` and the row of the README's table. Adding an endpoint means adding a row here.

Source of every path and field: gunbot.com, API reference, *Trading and Orders*.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal

from pydantic import Field, model_validator

from gunbot_mcp.arguments import (
    Amount,
    AnyArgs,
    Args,
    Exchange,
    Fields,
    Key,
    Keys,
    MarketPrice,
    MaxRows,
    Number,
    OrderId,
    Page,
    PageSize,
    PairName,
    RepeatOf,
    Skip,
    StopLimit,
    StopPrice,
    Timezone,
)
from gunbot_mcp.domain import Cancel, Capability, Close, Effect, Intent, Leg, Place, Side
from gunbot_mcp.hints import Unfit


class Result(StrEnum):
    """What Gunbot answers: the shape that the adapter parses and the tool returns."""

    SENT = "sent"  # {"status": "success", "message": "Order sent"}: handed off, neither accepted nor filled
    ORDERS = "orders"  # {"data": [record…]}
    DAYS = "days"  # {"days": […], "orders": […], "closeOrders": […]}
    PAGE = "page"  # {"total", "page", "data": [record…]}, and totalCount where several keys are asked for


class _Trade(Args):
    exchange: Annotated[Exchange, Field(serialization_alias="exch")]
    pair: PairName


class _Sized(_Trade):
    amount: Annotated[Amount, Field(serialization_alias="amt")]


class LimitArgs(_Sized):
    price: Number
    repeat_of: RepeatOf = None


class MarketArgs(_Sized):
    price: Annotated[MarketPrice | None, Field(description="for Gunbot's simulator; 0: the market's")] = None
    repeat_of: RepeatOf = None


class CancelArgs(_Trade):
    order_id: Annotated[OrderId, Field(serialization_alias="id")]
    price: Annotated[Number, Field(description="the order's own, > 0")]
    order_type: Annotated[Literal["limit", "market"], Field(serialization_alias="type", description="the order's own")]


class StopLimitArgs(_Sized):
    stop_price: Annotated[StopPrice, Field(serialization_alias="stopPrice")]
    limit_price: Annotated[StopLimit, Field(serialization_alias="limitPrice")]
    repeat_of: RepeatOf = None


class TrailingStopArgs(_Sized):
    price: Annotated[Number, Field(description="reference, > 0")]
    stop_price: Annotated[StopPrice, Field(serialization_alias="stopPrice")]
    repeat_of: RepeatOf = None

    @model_validator(mode="after")
    def _a_trail_has_a_distance(self) -> "TrailingStopArgs":
        if self.price == self.stop_price:
            apart = self.price * (Decimal("0.99") if self.price > 1 else Decimal("1.01"))
            raise Unfit("price and stop_price must differ", {"stop_price": float(apart)})
        return self


class OcoArgs(_Sized):
    price: Annotated[Number, Field(description="limit leg, > 0")]
    stop_price: Annotated[StopPrice, Field(serialization_alias="stopPrice")]
    limit_price: Annotated[StopLimit, Field(serialization_alias="limit")]
    repeat_of: RepeatOf = None


class CloseMarketArgs(_Sized):
    repeat_of: RepeatOf = None


class OrdersArgs(Args):
    key: Key
    fields: Fields = None
    max_rows: MaxRows = None


class OrdersTodayArgs(Args):
    timezone: Timezone
    keys: Annotated[Keys, Field(serialization_alias="keys[]")]
    max_rows: MaxRows = None
    skip: Skip = 0


class OrdersPageArgs(Args):
    key: Key
    page: Page
    page_size: Annotated[PageSize, Field(serialization_alias="pageSize")]
    fields: Fields = None
    max_rows: MaxRows = None


class OrdersPageMultiArgs(Args):
    page: Page
    page_size: Annotated[PageSize, Field(serialization_alias="pageSize")]
    keys: Annotated[Keys, Field(serialization_alias="keys[]")]
    fields: Fields = None
    max_rows: MaxRows = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Generic[AnyArgs]):
    """One row: `path` is below `/api/v1`; `effect` has no default; `intent` turns arguments into the order's legs."""

    name: str
    method: Literal["GET", "POST"]
    path: str
    args: type[AnyArgs]
    result: Result
    effect: Effect
    intent: Callable[[AnyArgs], Intent] | None
    needs: Capability | None
    about: str

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize().replace("oco", "OCO")


def _limit(side: Side) -> Callable[[LimitArgs], Place]:
    return lambda a: Place(side=side, exchange=a.exchange, pair=a.pair, amount=a.amount, legs=(Leg(limit=a.price),))


def _market(side: Side) -> Callable[[MarketArgs], Place]:
    return lambda a: Place(
        side=side, exchange=a.exchange, pair=a.pair, amount=a.amount, legs=(Leg(),), reference=a.price or None
    )


def _stop_limit(side: Side) -> Callable[[StopLimitArgs], Place]:
    return lambda a: Place(
        side=side,
        exchange=a.exchange,
        pair=a.pair,
        amount=a.amount,
        legs=(Leg(stop=a.stop_price, limit=a.limit_price),),
    )


def _trailing_stop(side: Side) -> Callable[[TrailingStopArgs], Place]:
    return lambda a: Place(
        side=side,
        exchange=a.exchange,
        pair=a.pair,
        amount=a.amount,
        legs=(Leg(trail=abs(a.price - a.stop_price)),),
        reference=a.price,
        trigger=a.stop_price,
    )


def _oco(side: Side) -> Callable[[OcoArgs], Place]:
    return lambda a: Place(
        side=side,
        exchange=a.exchange,
        pair=a.pair,
        amount=a.amount,
        legs=(Leg(limit=a.price), Leg(stop=a.stop_price, limit=a.limit_price)),
    )


# Unannotated on purpose: strict typing then sees each row's own argument model through its lambda.
ENDPOINTS = (
    Endpoint(
        name="buy_limit",
        method="POST",
        path="/trade/buy",
        args=LimitArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=_limit(Side.BUY),
        needs=Capability.LIMIT,
        about="Buy at price or better.",
    ),
    Endpoint(
        name="buy_market",
        method="POST",
        path="/trade/buy/market",
        args=MarketArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=_market(Side.BUY),
        needs=Capability.MARKET,
        about="Buy now at the market price.",
    ),
    Endpoint(
        name="sell_limit",
        method="POST",
        path="/trade/sell",
        args=LimitArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=_limit(Side.SELL),
        needs=Capability.LIMIT,
        about="Sell at price or better.",
    ),
    Endpoint(
        name="sell_market",
        method="POST",
        path="/trade/sell/market",
        args=MarketArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=_market(Side.SELL),
        needs=Capability.MARKET,
        about="Sell now at the market price.",
    ),
    Endpoint(
        name="cancel_order",
        method="POST",
        path="/trade/cancel",
        args=CancelArgs,
        result=Result.SENT,
        effect=Effect.CANCEL,
        intent=lambda a: Cancel(
            exchange=a.exchange, pair=a.pair, order_id=a.order_id, price=a.price, order_type=a.order_type
        ),
        needs=Capability.CANCEL,
        about="Cancel an open order; list_open_orders has its id, price and type.",
    ),
    Endpoint(
        name="list_orders",
        method="GET",
        path="/orders",
        args=OrdersArgs,
        result=Result.ORDERS,
        effect=Effect.READ,
        intent=None,
        needs=None,
        about="All stored filled orders of a pair; prefer list_orders_page.",
    ),
    Endpoint(
        name="list_orders_today",
        method="GET",
        path="/orders/day",
        args=OrdersTodayArgs,
        result=Result.DAYS,
        effect=Effect.READ,
        intent=None,
        needs=None,
        about="Today's order and close-order counts of several pairs.",
    ),
    Endpoint(
        name="list_orders_page",
        method="GET",
        path="/orders/page",
        args=OrdersPageArgs,
        result=Result.PAGE,
        effect=Effect.READ,
        intent=None,
        needs=None,
        about="One page of one pair's filled orders, newest first.",
    ),
    Endpoint(
        name="list_orders_page_multi",
        method="GET",
        path="/orders/page/multi",
        args=OrdersPageMultiArgs,
        result=Result.PAGE,
        effect=Effect.READ,
        intent=None,
        needs=None,
        about="One page of several pairs' filled orders.",
    ),
    Endpoint(
        name="buy_stop_limit",
        method="POST",
        path="/trade/buy/stoplimit",
        args=StopLimitArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=_stop_limit(Side.BUY),
        needs=Capability.STOP_LIMIT,
        about="Binance: once stop_price trades, buy at limit_price or better.",
    ),
    Endpoint(
        name="sell_stop_limit",
        method="POST",
        path="/trade/sell/stoplimit",
        args=StopLimitArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=_stop_limit(Side.SELL),
        needs=Capability.STOP_LIMIT,
        about="Binance: once stop_price trades, sell at limit_price or better.",
    ),
    Endpoint(
        name="buy_trailing_stop",
        method="POST",
        path="/trade/buy/trailingstop",
        args=TrailingStopArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=_trailing_stop(Side.BUY),
        needs=Capability.TRAILING_STOP,
        about="Binance: buy once the price turns up; Gunbot decides how it trails.",
    ),
    Endpoint(
        name="sell_trailing_stop",
        method="POST",
        path="/trade/sell/trailingstop",
        args=TrailingStopArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=_trailing_stop(Side.SELL),
        needs=Capability.TRAILING_STOP,
        about="Binance: sell once the price turns down; Gunbot decides how it trails.",
    ),
    Endpoint(
        name="buy_oco",
        method="POST",
        path="/trade/buy/oco",
        args=OcoArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=_oco(Side.BUY),
        needs=Capability.OCO,
        about="Binance: limit plus stop-limit buy; one fill cancels the other.",
    ),
    Endpoint(
        name="sell_oco",
        method="POST",
        path="/trade/sell/oco",
        args=OcoArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=_oco(Side.SELL),
        needs=Capability.OCO,
        about="Binance: limit plus stop-limit sell; one fill cancels the other.",
    ),
    Endpoint(
        name="close_limit",
        method="POST",
        path="/trade/close",
        args=LimitArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=lambda a: Close(exchange=a.exchange, pair=a.pair, amount=a.amount, leg=Leg(limit=a.price)),
        needs=Capability.CLOSE,
        about="Bybit futures: close a position at price or better.",
    ),
    Endpoint(
        name="close_market",
        method="POST",
        path="/trade/close/market",
        args=CloseMarketArgs,
        result=Result.SENT,
        effect=Effect.ORDER,
        intent=lambda a: Close(exchange=a.exchange, pair=a.pair, amount=a.amount, leg=Leg()),
        needs=Capability.CLOSE,
        about="Bybit futures: close a position at the market price.",
    ),
)

AnyEndpoint = Endpoint[Any]


class _ByName(Mapping[str, AnyEndpoint]):
    """The rows that the table has now, by name. The rest of the package reads the table through this, never a copy."""

    def __getitem__(self, name: str) -> AnyEndpoint:
        for endpoint in ENDPOINTS:
            if endpoint.name == name:
                return endpoint
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (endpoint.name for endpoint in ENDPOINTS)

    def __len__(self) -> int:
        return len(ENDPOINTS)


BY_NAME: Mapping[str, AnyEndpoint] = _ByName()
