"""Before a cancel, a human reads which protection goes, or that some may: Gunbot shows stops as plain orders."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from support.made import NOON

from gunbot_mcp.domain import Cancel, Side
from gunbot_mcp.gunbot.records import OpenOrder
from gunbot_mcp.tickets.protection import lost, placed_as
from gunbot_mcp.tickets.sentences import sentence
from gunbot_mcp.tickets.ticket import Certainty, Observation, Ticket

MakeTicket = Callable[..., Ticket]
CANCEL = Cancel(exchange="binance", pair="USDT-BTC", order_id="77", price=Decimal(48900), order_type="limit")
SEEN = OpenOrder(
    id="77",
    exchange="binance",
    pair="USDT-BTC",
    side=Side.SELL,
    order_type="limit",
    kind="limit",
    price=Decimal(48900),
    amount=Decimal("0.5"),
    raw={},
)
ARGUMENTS = '{{"exchange":"binance","pair":"USDT-BTC","amount":0.5,{}}}'


def observed(*ids: str, certainty: Certainty = Certainty.MATCH) -> Observation:
    return Observation(order_ids=ids, where="open_orders", state="open", certainty=certainty, seen_at=NOON)


@pytest.fixture
def placed(make_ticket: MakeTicket) -> Callable[..., Ticket]:
    """Make the ticket that placed order 77."""

    def make(tool: str, prices: str, **fields: object) -> Ticket:
        return replace(
            make_ticket(tool=tool, arguments=ARGUMENTS.format(prices)), **{"observed": observed("77"), **fields}
        )

    return make


@pytest.mark.parametrize(
    ("tool", "prices", "expected"),
    [
        (
            "sell_stop_limit",
            '"stop_price":49000,"limit_price":48900',
            "Order 77 is a stop. Without it, nothing sells 0.5 BTC if BTC falls to 49,000 USDT.",
        ),
        (
            "buy_stop_limit",
            '"stop_price":51000,"limit_price":51100',
            "Order 77 is a stop. Without it, nothing buys 0.5 BTC if BTC rises to 51,000 USDT.",
        ),
        (
            "sell_trailing_stop",
            '"price":50000,"stop_price":49500',
            "Order 77 is a trailing stop. Without it, nothing sells 0.5 BTC if BTC turns down.",
        ),
        (
            "sell_oco",
            '"price":52000,"stop_price":49000,"limit_price":48900',
            (
                "Order 77 is one leg of an OCO, and the other leg may go with it. "
                "Without them, nothing sells 0.5 BTC at 52,000 USDT or if BTC falls to 49,000 USDT."
            ),
        ),
        ("buy_limit", '"price":49000', None),
    ],
)
def test_of_an_order_that_was_placed_here_the_protection_that_goes_is_named(
    placed: Callable[..., Ticket], tool: str, prices: str, expected: str | None
) -> None:
    ticket = placed(tool, prices)
    # Gunbot shows it as a plain order, or no longer at all: what it was placed as counts.
    for seen in (SEEN, None):
        assert lost(CANCEL, seen, ticket) == expected


def test_contracts_are_named_as_contracts(placed: Callable[..., Ticket]) -> None:
    ticket = placed("sell_stop_limit", '"stop_price":49000,"limit_price":48900', contract_size=Decimal(1000))
    assert "nothing sells 0.5 contracts of 1,000 BTC each if" in str(lost(CANCEL, None, ticket))


def test_the_sentence_of_such_a_cancel_says_what_the_order_was_placed_for(placed: Callable[..., Ticket]) -> None:
    ticket = placed("sell_stop_limit", '"stop_price":49000,"limit_price":48900')
    assert sentence(CANCEL, seen=SEEN, placed=ticket) == (
        "Cancel order 77 at 48,900 USDT on binance (USDT-BTC), "
        "placed here to sell 0.5 BTC at 48,900 USDT once BTC trades at 49,000 USDT"
    )
    assert sentence(CANCEL, placed=ticket).endswith("; it is not among the open orders that the server sees")


def test_an_order_that_is_not_known_here_may_be_a_stop_or_a_leg_however_plain_it_looks() -> None:
    for seen in (SEEN, None):
        said = lost(CANCEL, seen, None)
        assert said is not None
        assert "may be a stop or one leg of an OCO" in said
    assert lost(CANCEL, replace(SEEN, kind="stop_limit"), None) == (
        "Order 77 is a stop limit order: if it protects a position, that protection goes."
    )


def test_the_order_is_known_by_an_id_that_was_matched_and_not_by_a_mere_candidate(
    placed: Callable[..., Ticket], make_ticket: MakeTicket
) -> None:
    stop = placed("sell_stop_limit", '"stop_price":49000,"limit_price":48900')
    leg = replace(stop, observed=observed("76", "77", certainty=Certainty.HUMAN))
    assert placed_as(CANCEL, [make_ticket(), stop]) is stop
    assert placed_as(CANCEL, [leg]) is leg
    other, candidate = observed("78"), observed("77", certainty=Certainty.CANDIDATE)
    cancel = replace(make_ticket(side="cancel"), observed=observed("77"))
    assert placed_as(CANCEL, [replace(stop, observed=other), replace(stop, observed=candidate), cancel]) is None
