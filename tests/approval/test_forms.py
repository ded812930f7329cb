"""The client's form: what is unclear, unread or not shown is no approval."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunbot_mcp.approval.forms import NOT_SHOWN_SECONDS, Reply, form_for, needs_code, read_reply
from gunbot_mcp.config import Limits
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import Ticket

LIMITS = Limits()  # a code above 100 USDT
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=5,
)
WORDS = st.sampled_from(["decision", "code", "approve", "reject", "yes", "APPROVE", "approved"])


def ticket(**fields: Any) -> Ticket:  # noqa: ANN401 - any field
    facts: dict[str, Any] = {
        "id": "t1",
        "instance": "gunbot",
        "live": True,
        "url": "http://gunbot.invalid",
        "order": Order.stored("buy_limit", '{"exchange":"binance","pair":"USDT-BTC","amount":0.001,"price":50000}'),
        "purpose": None,
        "summary": "Buy 0.001 BTC at 50000 USDT on binance, at most 50.05 USDT with fees",
        "notional": Decimal("50.05"),
        "asset": "USDT",
        "quote": {"bid": "49999.5", "ask": "50000.5"},
        "checks": (),
        "warnings": ("It fills at once.",),
        "client": "Claude",
        "fingerprint": "f",
        "repeat_of": None,
        "created_at": NOON,
        "expires_at": NOON + timedelta(seconds=120),
        "boot": "boot",
        "deadline": 1.0,
        "nonce_hash": "0",
    }
    return Ticket(**{**facts, **fields})


def test_the_form_says_everything_that_a_human_decides_about() -> None:
    form = form_for(ticket(), "nonce", LIMITS)
    assert form.message == (
        "LIVE instance gunbot.\n"
        "Buy 0.001 BTC at 50000 USDT on binance, at most 50.05 USDT with fees.\n"
        "The book now: bid 49,999.5, ask 50,000.5.\n"
        "Limit price 50,000: less than 0.01 % below the ask.\n"
        "Warning: It fills at once.\n"
        'Proposed by "Claude". Ticket t1 waits 120 s, until 12:02:00 UTC.'
    )
    assert form.schema == {
        "type": "object",
        "properties": {"decision": {"type": "string", "title": "Decision", "enum": ["approve", "reject"]}},
        "required": ["decision"],
    }
    assert form.code is None


def test_every_line_of_a_form_is_a_sentence_since_some_clients_drop_the_ends_of_lines() -> None:
    form = form_for(ticket(notional=Decimal(900)), "nonce", LIMITS)

    assert form.code is not None
    assert all(line.endswith(".") for line in form.message.splitlines())


def test_no_answer_is_chosen_beforehand() -> None:
    for notional in (Decimal(50), Decimal(5000)):
        form = form_for(ticket(notional=notional), "nonce", LIMITS)
        assert not any("default" in field for field in form.schema["properties"].values())


@pytest.mark.parametrize(
    ("notional", "asset", "needed"),
    [
        (Decimal(100), "USDT", False),
        (Decimal("100.00000001"), "USDT", True),
        (Decimal("0.00000001"), "DOGE", True),
        (None, None, False),
    ],
)
def test_a_code_is_needed_above_the_configured_amount_and_for_assets_without_one(
    notional: Decimal | None, asset: str | None, *, needed: bool
) -> None:
    found = ticket(notional=notional, asset=asset, quote=None)
    assert needs_code(found, LIMITS) is needed
    form = form_for(found, "nonce", LIMITS)
    assert (form.code is not None) is needed
    assert ("type this code" in form.message) is needed
    assert ("code" in form.schema["properties"]) is needed


@given(st.text())
def test_a_code_is_four_digits_and_belongs_to_its_nonce(nonce: str) -> None:
    nonce = nonce.encode("utf-8", "replace").decode()
    found = ticket(notional=Decimal(500))
    code = form_for(found, nonce, LIMITS).code
    assert code == form_for(found, nonce, LIMITS).code
    assert code is not None
    assert len(code) == 4
    assert code.isdecimal()


def test_approving_takes_the_word_and_above_the_amount_the_code() -> None:
    small, large = (form_for(ticket(notional=Decimal(amount)), "nonce", LIMITS) for amount in (50, 500))
    assert read_reply(small, "accept", {"decision": "approve"}, 9) is Reply.APPROVE
    assert read_reply(large, "accept", {"decision": "approve", "code": large.code}, 9) is Reply.APPROVE
    assert read_reply(large, "accept", {"decision": "reject"}, 9) is Reply.REJECT
    assert read_reply(large, "accept", {"decision": "reject", "code": "nonsense"}, 9) is Reply.REJECT


@pytest.mark.parametrize("code", ["", "0000x", " ", None, 1234, "12345"])
def test_above_the_amount_a_wrong_or_missing_code_is_no_approval(code: object) -> None:
    form = form_for(ticket(notional=Decimal(500)), "nonce", LIMITS)
    assert read_reply(form, "accept", {"decision": "approve", "code": code}, 9) is Reply.WRONG_CODE
    assert read_reply(form, "accept", {"decision": "approve"}, 9) is Reply.WRONG_CODE
    assert form.code is not None
    assert read_reply(form, "accept", {"decision": "approve", "code": int(form.code)}, 9) is Reply.WRONG_CODE


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"decision": "yes"},
        {"decision": "Approve"},
        {"decision": True},
        {"decision": ["approve"]},
        {"decision": "approve", "code": "1"},
        {"decision": "approve", "confirm": True},
        {"approve": True},
    ],
)
def test_an_accepted_form_that_says_anything_else_is_unclear(content: Mapping[str, Any] | None) -> None:
    assert read_reply(form_for(ticket(), "nonce", LIMITS), "accept", content, 9) is Reply.UNCLEAR


@given(
    action=st.sampled_from(["accept", "decline", "cancel", "approve", ""]),
    content=st.none() | st.dictionaries(WORDS | st.text(max_size=8), WORDS | JSON, max_size=3),
    seconds=st.none() | st.floats(0, 1e6),
    notional=st.sampled_from([Decimal(50), Decimal(500)]),
)
def test_nothing_but_the_one_right_answer_approves(
    action: str, content: dict[str, Any] | None, seconds: float | None, notional: Decimal
) -> None:
    form = form_for(ticket(notional=notional), "nonce", LIMITS)
    right = {"decision": "approve"} if form.code is None else {"decision": "approve", "code": form.code}
    approved = read_reply(form, action, content, seconds) is Reply.APPROVE
    assert approved is (action == "accept" and content == right)


@pytest.mark.parametrize("action", ["decline", "cancel"])
def test_a_form_that_was_closed_in_under_a_second_was_not_shown(action: str) -> None:
    form = form_for(ticket(), "nonce", LIMITS)
    assert read_reply(form, action, None, 0.05) is Reply.NOT_SHOWN


def test_declining_a_form_rejects_and_closing_it_decides_nothing() -> None:
    form = form_for(ticket(), "nonce", LIMITS)
    assert read_reply(form, "decline", None, NOT_SHOWN_SECONDS) is Reply.REJECT
    assert read_reply(form, "decline", None, None) is Reply.REJECT
    assert read_reply(form, "cancel", None, 60) is Reply.NOT_SHOWN


def test_neither_nonce_nor_code_stands_in_a_repr() -> None:
    form = form_for(ticket(notional=Decimal(500)), "a nonce", LIMITS)
    assert form.code is not None
    assert form.code not in repr(form)
    assert "nonce" not in repr(form)
