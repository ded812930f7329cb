"""The words for what became of a ticket."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gunbot_mcp.tickets.channels import PAGE, TERMINAL, Actor
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.outcome import Outcome, may_change, news_of, outcome_of
from gunbot_mcp.tickets.reasons import reason_text
from gunbot_mcp.tickets.ticket import Certainty, Observation, Reason, ReasonCode, State, Ticket
from gunbot_mcp.tickets.view import card_view, human_text, ticket_answer
from gunbot_mcp.tools.inventory import inventory

GONE = Observation(order_ids=("461773",), where="not_open", state="gone", certainty=Certainty.MATCH, seen_at=None)


SEEN = Observation(order_ids=("7",), where="open_orders", state="open", certainty=Certainty.MATCH, seen_at=None)
CANCEL = '{"exchange":"binance","pair":"USDT-BTC","order_id":"461773","price":49000,"order_type":"limit"}'
BUY = '{"exchange":"binance","pair":"USDT-BTC","amount":0.001,"price":49000}'


def a_ticket(state: State, *, cancels: bool = False, **fields: Any) -> Ticket:  # noqa: ANN401 - any field
    facts: dict[str, Any] = {
        "id": "abcd1234",
        "instance": "paper",
        "live": False,
        "url": None,
        "order": Order.stored("cancel_order", CANCEL) if cancels else Order.stored("buy_limit", BUY),
        "summary": "a summary",
        "notional": None if cancels else Decimal(50),
        "asset": None if cancels else "USDT",
        "purpose": None,
        "quote": None,
        "checks": (),
        "warnings": (),
        "client": "a client",
        "fingerprint": "",
        "created_at": datetime.now(UTC),
        "expires_at": datetime.now(UTC),
        "boot": "",
        "deadline": 0.0,
        "nonce_hash": "",
        "state": state,
    }
    return Ticket(**{**facts, **fields})


def test_a_cancelled_order_is_said_to_be_gone() -> None:
    found = outcome_of(a_ticket(State.ACCEPTED, cancels=True, observed=GONE, answer={"message": "done"}))
    assert found.title == "Cancelled: order 461773 is no longer among the open orders"
    assert found.lines == ("Gunbot said: “done”.", "Order 461773, no longer among the open orders.")


def test_a_cancel_that_was_only_handed_over_is_not_called_done() -> None:
    found = outcome_of(a_ticket(State.ACCEPTED, cancels=True, reason=Reason(ReasonCode.TAKEN)))
    assert found.title == "Cancel handed over"
    assert "Handed over is not cancelled: order 461773 was not seen to be gone yet" in found.lines[1]


def test_a_cancel_can_be_settled_by_a_human_s_word() -> None:
    found = outcome_of(a_ticket(State.ACCEPTED, cancels=True, observed=replace(GONE, where="human")))
    assert found.title == "Cancelled: order 461773 is gone, by a human's word"


@pytest.mark.parametrize("state", [State.REJECTED, State.VOID])
def test_a_cancel_that_failed_leaves_the_order_perhaps_open(state: State) -> None:
    found = outcome_of(a_ticket(state, cancels=True, reason=Reason(ReasonCode.CHECK_FAILED, {"message": "no"})))
    assert (found.tone, found.title) == ("bad", "Not cancelled: order 461773 may still be open")
    assert found.lines[0] == "Nothing was sent: no."


@pytest.mark.parametrize("state", [State.APPROVED, State.SENDING, State.UNKNOWN])
def test_an_unsure_cancel_says_that_the_order_may_be_open(state: State) -> None:
    found = outcome_of(a_ticket(state, cancels=True, reason=Reason(ReasonCode.NO_ANSWER, {"message": "late"})))
    assert found.tone == "unsure"
    assert "rder 461773 may still be open" in found.title + found.lines[1]
    assert (found.command == "gunbot-mcp resolve abcd1234") is (state is State.UNKNOWN)


@pytest.mark.parametrize("state", sorted(set(State) - {State.PENDING}))
def test_no_cancel_is_spoken_of_as_an_order_that_was_placed(state: State) -> None:
    codes = (ReasonCode.NO_ANSWER, ReasonCode.CUT_OFF) if state is State.UNKNOWN else (ReasonCode.CHECK_FAILED,)
    for code in codes:
        found = outcome_of(a_ticket(state, cancels=True, reason=Reason(code, {"message": "late", "by": "fault"})))
        words = " ".join((found.title, *found.lines))
        for wrong in ("no such order", "did not happen", "not filled", "may exist", "place"):
            assert wrong not in words


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (None, "It was not seen among the open orders or fills yet; look again in a moment."),
        (replace(SEEN, price=Decimal(50)), "Order 7 at 50, seen in the open orders."),
        (replace(SEEN, where="human"), "Order 7, by a human's word."),
    ],
)
def test_an_accepted_order_says_where_it_was_seen(observed: Observation | None, words: str) -> None:
    assert outcome_of(a_ticket(State.ACCEPTED, observed=observed)).lines[-1] == words


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (PAGE, "on the approval page."),
        (TERMINAL, "in a terminal."),
        (Actor("form", "Cursor"), "in the form in Cursor."),
        (Actor("card", "Claude"), "on the ticket card in Claude."),
        (Actor("recorded", "somebody"), "by somebody."),
        (Actor("command"), "by the command gunbot-mcp reject."),
        (None, "by a human."),
    ],
)
def test_a_no_says_where_it_was_said(by: Actor | None, words: str) -> None:
    declined = outcome_of(a_ticket(State.DECLINED, decided_by=by))
    assert (declined.title, declined.lines[0]) == ("Declined", f"Declined {words}")
    assert outcome_of(a_ticket(State.WITHDRAWN, decided_by=by)).lines[0] == f"Withdrawn {words}"


@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_has_words(code: ReasonCode) -> None:
    reason = Reason(code, {"message": "word", "text": "word", "by": "fault", "ended": True})
    assert reason_text(a_ticket(State.UNKNOWN, reason=reason, observed=SEEN))


def test_a_no_from_a_program_is_not_called_a_human_s() -> None:
    declined = Reason(ReasonCode.DECLINED)
    assert reason_text(a_ticket(State.DECLINED, reason=declined, decided_by=TERMINAL)) == "declined by a human"
    words = reason_text(a_ticket(State.DECLINED, reason=declined, decided_by=Actor("command")))
    assert words == "declined by the command gunbot-mcp reject"


def test_an_approved_ticket_does_not_say_that_a_human_can_still_decide() -> None:
    waiting, approved = a_ticket(State.PENDING), a_ticket(State.APPROVED)
    assert "A human can decide until" in news_of(waiting)
    answer = ticket_answer(approved, approve={"how": "the human opens the page"})
    assert answer.structured["status"] == "unknown"
    assert "approve" not in answer.structured
    for text in (news_of(approved), answer.text, answer.structured["note"]):
        assert "human can decide" not in text
        assert "do not propose it again" in text


FILLED = Observation(
    order_ids=("461773",),
    where="history",
    state="filled",
    certainty=Certainty.MATCH,
    seen_at=datetime(2026, 11, 26, 14, 3, 20, tzinfo=UTC),
    filled=Decimal("0.001"),
    average=Decimal("47998.2"),
    filled_at=datetime(2026, 11, 26, 14, 3, 11, tzinfo=UTC),
)
PARTLY = replace(FILLED, state="partly_filled", filled=Decimal("0.0004"))


@pytest.mark.parametrize(
    ("seen", "title", "follows"),
    [
        (FILLED, "Filled 0.001 BTC at 47,998.2 at 14:03:11 UTC", False),
        (PARTLY, "Partly filled: 0.0004 of 0.001 BTC", True),
        (replace(PARTLY, state="gone"), "Only 0.0004 of 0.001 BTC filled", False),
        (replace(FILLED, state="gone", filled=None), "The order is gone and did not fill", False),
        (replace(FILLED, certainty=Certainty.CANDIDATE), "Accepted by Gunbot", True),
        (SEEN, "Accepted by Gunbot", True),
        (None, "Accepted by Gunbot", True),
    ],
)
def test_the_title_says_what_came_of_an_accepted_order_where_that_is_sure(
    seen: Observation | None, title: str, *, follows: bool
) -> None:
    ticket = a_ticket(State.ACCEPTED, observed=seen, reason=Reason(ReasonCode.TAKEN))
    assert (outcome_of(ticket).title, may_change(ticket)) == (title, follows)
    assert card_view(ticket)["follows"] is follows


def test_of_contracts_the_title_counts_contracts() -> None:
    ticket = a_ticket(State.ACCEPTED, observed=replace(FILLED, filled=Decimal(4)), contract_size=Decimal(100))
    assert outcome_of(ticket).title == "Filled 4 contracts at 47,998.2 at 14:03:11 UTC"


FACTS = {"message": "the market moved", "by": "fault", "needs": "20", "left": "3", "text": "as it was", "ended": True}
SEEN_AS = (None, FILLED, PARTLY, SEEN, GONE, replace(SEEN, certainty=Certainty.CANDIDATE), replace(SEEN, where="human"))
TOOL = re.compile(rf"\b(?:{'|'.join(sorted((tool.name for tool in inventory()), key=len, reverse=True))})\b")


def every_fate() -> Iterator[Ticket]:
    for state in sorted(set(State) - {State.PENDING}):
        for cancels in (False, True):
            for code in ReasonCode:
                for seen in SEEN_AS:
                    reason = Reason(code, FACTS)
                    yield a_ticket(state, cancels=cancels, reason=reason, observed=seen, answer={"message": "done"})


def test_nothing_that_a_human_reads_of_a_fate_names_a_tool() -> None:
    said = {text for ticket in every_fate() for text in (*said_by(outcome_of(ticket)), human_text(ticket))}
    assert len(said) > 100
    assert [text for text in said if TOOL.search(text)] == []


def test_nothing_that_a_human_reads_leads_to_a_terminal_but_the_line_that_buttons_take_the_place_of() -> None:
    found = [outcome_of(ticket) for ticket in every_fate()]
    assert [one for one in found if any("terminal" in text for text in (one.title, *one.lines))] == []
    assert {one.command is None for one in found if one.lead is None} == {True}
    assert {one.command for one in found if one.lead is not None} == {"gunbot-mcp resolve abcd1234"}


def test_nothing_that_a_model_is_told_of_a_fate_is_a_command_of_ours() -> None:
    told = {text for ticket in every_fate() for text in (news_of(ticket), ticket_answer(ticket).text)}
    assert [text for text in told if re.search("(?<!fault of )gunbot-mcp [a-z]", text)] == []
    assert [text for text in told if "Ask the human to settle it" in text]


def said_by(outcome: Outcome) -> tuple[str, ...]:
    return (outcome.title, *outcome.lines, outcome.lead or "")


def test_what_an_assistant_may_do_next_is_a_line_of_its_own() -> None:
    ticket = a_ticket(State.UNKNOWN, reason=Reason(ReasonCode.NO_ANSWER, {"message": "late"}))
    happened, advice = ticket_answer(ticket).text.splitlines()[1:3]
    assert happened == "Sent, but late; the order may exist."
    assert advice.startswith("Next: Never send it again")
    assert human_text(ticket).splitlines()[-1] == "gunbot-mcp resolve abcd1234"
