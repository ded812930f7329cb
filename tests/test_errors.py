"""The errors: stable codes, a next step, clean text, no secrets."""

import ast
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gunbot_mcp
from gunbot_mcp.errors import (
    GatewayRejected,
    GatewayTimeout,
    GunbotMcpError,
    Internal,
    InvalidArguments,
    Refused,
    clean,
    error_codes,
)

CODES = [
    "invalid_arguments",
    "unknown_tool",
    "read_only",
    "not_supported",
    "exchange_not_allowed",
    "pair_not_allowed",
    "limit_exceeded",
    "price_out_of_band",
    "halted",
    "duplicate_order",
    "pair_locked",
    "ticket_not_found",
    "ticket_closed",
    "gateway_unreachable",
    "gateway_timeout",
    "gateway_rejected",
    "gateway_invalid_response",
    "unauthorized",
    "ledger_unavailable",
    "history_unavailable",
    "config_invalid",
    "internal",
]
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoidGVzdHMifQ.c2lnbmF0dXJl"


def test_every_config_error_has_a_next_step() -> None:
    """`Error(message, hint)`: the hint is there, and no empty text. What each says, its own test reads."""
    package = Path(gunbot_mcp.__file__).parent
    without: list[str] = []
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ConfigInvalid"):
                continue
            match node.args:
                case [ast.Starred()] | [_, ast.Name() | ast.JoinedStr() | ast.Call() | ast.BinOp()]:
                    pass
                case [_, ast.Constant(value=str() as hint)] if hint:
                    pass
                case _:
                    without.append(f"{file.relative_to(package)}:{node.lineno}")
    assert without == []


def test_the_public_codes_are_these_and_no_others() -> None:
    assert list(error_codes()) == CODES


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_one_wire_form(code: str) -> None:
    error = error_codes()[code]("what happened", "what to do")

    assert list(error.as_dict()) == ["code", "message", "hint", "retryable"]
    assert error.as_dict()["code"] == code
    assert str(error) == f"{code}: what happened (what to do)"


def test_only_the_way_to_gunbot_is_worth_another_try() -> None:
    assert {code for code, error in error_codes().items() if error.retryable} == {
        "gateway_unreachable",
        "gateway_timeout",
    }


def test_a_refusal_is_decided_before_anything_is_sent() -> None:
    refused = {code for code, error in error_codes().items() if issubclass(error, Refused)}

    assert refused == set(CODES[2:11])


def test_an_error_without_a_hint_ends_with_its_message() -> None:
    assert str(Internal("what happened")) == "internal: what happened"


def test_a_gateway_error_counts_as_delivered_unless_it_is_known_not_to_be() -> None:
    assert GatewayTimeout("late").delivered is True
    assert GatewayRejected("no", delivered=False).delivered is False


@given(st.text(max_size=500), st.integers(min_value=2, max_value=300))
def test_clean_text_is_printable_and_short(text: str, limit: int) -> None:
    shown = clean(text, limit)

    assert len(shown) <= limit
    assert not [c for c in shown if ord(c) < 32 or "\x7f" <= c <= "\x9f" or "\u200b" <= c <= "\u200f"]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    shown.encode("utf-8")


@given(st.text(alphabet=string.ascii_letters + string.digits + " .,-", max_size=100))
def test_ordinary_text_is_left_alone(text: str) -> None:
    if "bearer" not in text.lower():
        assert clean(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"token {JWT} is bad",
        f"Authorization: Bearer {JWT}",
        "authorization: bearer opaque-token-of-another-kind",
        '{"password":"ENC:5WrPd8556C66kUtoGbal5g=="}',
        f"https://host/?token={JWT}",
    ],
)
def test_what_looks_like_a_secret_is_never_shown(text: str) -> None:
    shown = clean(text)

    assert "[secret]" in shown
    assert not [part for part in (JWT, "opaque-token", "5WrPd8556C66") if part in shown]


def test_given_secrets_are_never_shown() -> None:
    assert clean("my hunter2, your hunter2", secrets=("hunter2", "")) == "my [secret], your [secret]"


def test_a_secret_of_three_characters_does_not_tear_texts_apart() -> None:
    assert clean("the test", secrets=("t", "est")) == "the test"


@pytest.mark.parametrize("size", [10_000, 5_000_000])
def test_a_flood_of_text_is_cut_before_it_is_searched(size: int) -> None:
    assert clean("e" * size, 50) == "e" * 49 + "…"


def test_an_error_is_one_of_the_tree() -> None:
    assert issubclass(InvalidArguments, GunbotMcpError)
