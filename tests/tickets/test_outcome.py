"""The words for what became of a ticket."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gunbot_mcp.tickets.outcome import outcome_of
from gunbot_mcp.tickets.ticket import State, Ticket

GONE: Mapping[str, Any] = {"order_id": "461773", "where": "no longer among the open orders"}


def a_ticket(state: State, *, cancels: bool = False, **fields: Any) -> Ticket:  # noqa: ANN401 - any field
    facts: dict[str, Any] = {
        "id": "abcd1234",
        "instance": "paper",
        "live": False,
        "tool": "cancel_order" if cancels else "buy_limit",
        "arguments": '{"order_id":"461773"}' if cancels else "{}",
        "exchange": "binance",
        "pair": "USDT-BTC",
        "side": "cancel" if cancels else "buy",
        "summary": "a summary",
        "notional": None if cancels else Decimal(50),
        "asset": None if cancels else "USDT",
        "quote": None,
        "checks": (),
        "warnings": (),
        "client": "a client",
        "fingerprint": "",
        "repeat_of": None,
        "created_at": datetime.now(UTC),
        "expires_at": datetime.now(UTC),
        "boot": "",
        "deadline": 0.0,
        "nonce_hash": "",
        "state": state,
    }
    return Ticket(**{**facts, **fields})


def test_a_cancelled_order_is_said_to_be_gone() -> None:
    found = outcome_of(a_ticket(State.ACCEPTED, cancels=True, observed=GONE, outcome={"message": "done"}))
    assert found.title == "Cancelled: order 461773 is no longer among the open orders"
    assert found.lines == ("Gunbot said: “done”.",)


def test_a_cancel_that_was_only_handed_over_is_not_called_done() -> None:
    found = outcome_of(a_ticket(State.ACCEPTED, cancels=True, reason="Gunbot took the order"))
    assert found.title == "Cancel handed over"
    assert "Handed over is not cancelled: order 461773 was not seen to be gone yet" in found.lines[1]


def test_a_cancel_can_be_settled_by_a_human_s_word() -> None:
    observed = {"order_id": "461773", "where": "a human's word"}
    found = outcome_of(a_ticket(State.ACCEPTED, cancels=True, observed=observed))
    assert found.title == "Cancelled: order 461773 is gone, by a human's word"


@pytest.mark.parametrize("state", [State.REJECTED, State.VOID])
def test_a_cancel_that_failed_leaves_the_order_perhaps_open(state: State) -> None:
    found = outcome_of(a_ticket(state, cancels=True, reason="nothing was sent: no"))
    assert (found.tone, found.title) == ("bad", "Not cancelled: order 461773 may still be open")
    assert found.lines[0] == "Nothing was sent: no."


@pytest.mark.parametrize("state", [State.APPROVED, State.SENDING, State.UNKNOWN])
def test_an_unsure_cancel_says_that_the_order_may_be_open(state: State) -> None:
    found = outcome_of(a_ticket(state, cancels=True, reason="sent, but late; the order may exist"))
    assert found.tone == "unsure"
    assert "rder 461773 may still be open" in found.title + found.lines[1]
    assert (found.command == "gunbot-mcp resolve abcd1234") is (state is State.UNKNOWN)


@pytest.mark.parametrize("state", sorted(set(State) - {State.PENDING}))
def test_no_cancel_is_spoken_of_as_an_order_that_was_placed(state: State) -> None:
    reason = "sent, but late; the order may exist" if state is State.UNKNOWN else "no"
    for arguments in ('{"order_id":"461773"}', "{}", "[]", "nothing"):
        found = outcome_of(a_ticket(state, cancels=True, arguments=arguments, reason=reason))
        words = " ".join((found.title, *found.lines))
        for wrong in ("no such order", "did not happen", "not filled", "may exist", "place"):
            assert wrong not in words


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (None, "It was not seen among the open orders or fills yet; reload to look again."),
        ({"order_id": "7", "where": "open orders", "price": "50"}, "Order 7 at 50, seen in the open orders."),
        ({"order_id": "7", "where": "a human's word"}, "Order 7, by a human's word."),
    ],
)
def test_an_accepted_order_says_where_it_was_seen(observed: Mapping[str, Any] | None, words: str) -> None:
    assert outcome_of(a_ticket(State.ACCEPTED, observed=observed)).lines[-1] == words


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("approval page", "on the approval page."),
        ("terminal", "in a terminal."),
        ("form in Cursor", "in the form in Cursor."),
        ("ticket card in Claude", "on the ticket card in Claude."),
        ("somebody", "by somebody."),
        (None, "by a human."),
    ],
)
def test_a_no_says_where_it_was_said(by: str | None, words: str) -> None:
    declined = outcome_of(a_ticket(State.DECLINED, decided_by=by))
    assert (declined.title, declined.lines[0]) == ("Declined", f"Declined {words}")
    assert outcome_of(a_ticket(State.WITHDRAWN, decided_by=by)).lines[0] == f"Withdrawn {words}"
