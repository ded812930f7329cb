"""An open order as the text that the paper gateway's file keeps, and back."""

import json
from decimal import Decimal

from gunbot_mcp.domain import Leg, Side, decimal_text
from gunbot_mcp.paper.engine import LegState, Order


def order_text(order: Order) -> str:
    return json.dumps(
        {
            "n": order.n,
            "exchange": order.exchange,
            "pair": order.pair,
            "side": order.side.value,
            "amount": decimal_text(order.amount),
            "placed": order.placed,
            "closing": order.closing,
            "reference": _text(order.reference),
            "legs": [
                {
                    "id": state.id,
                    "awake": state.awake,
                    "anchor": _text(state.anchor),
                    "limit": _text(state.leg.limit),
                    "stop": _text(state.leg.stop),
                    "trail": _text(state.leg.trail),
                }
                for state in order.legs
            ],
        }
    )


def order_of(text: str) -> Order:
    body = json.loads(text)
    return Order(
        n=body["n"],
        exchange=body["exchange"],
        pair=body["pair"],
        side=Side(body["side"]),
        amount=Decimal(body["amount"]),
        placed=body["placed"],
        closing=body["closing"],
        reference=_decimal(body["reference"]),
        legs=tuple(
            LegState(
                id=state["id"],
                awake=state["awake"],
                anchor=_decimal(state["anchor"]),
                leg=Leg(limit=_decimal(state["limit"]), stop=_decimal(state["stop"]), trail=_decimal(state["trail"])),
            )
            for state in body["legs"]
        ),
    )


def _text(number: Decimal | None) -> str | None:
    return None if number is None else decimal_text(number)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
