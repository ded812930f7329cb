"""The rows of `CHECKS`: each has its own code, the first that fails decides, and what ran is in the verdict."""

import contextlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from guard.cases import BOOK, buy, case, limits

import gunbot_mcp
from gunbot_mcp.config import Limits, Mode
from gunbot_mcp.domain import Cancel, Capability, Leg, Side
from gunbot_mcp.errors import LimitExceeded, Refused
from gunbot_mcp.guard.case import Case
from gunbot_mcp.guard.checks import CHECKS, Check, Facts, check_all, check_patience, check_static
from gunbot_mcp.guard.losses import DayLoss
from gunbot_mcp.gunbot.records import Book

CANCEL = Cancel(exchange="binance", pair="USDT-BTC", order_id="1", price=Decimal(1), order_type="limit")
PACKAGE = Path(gunbot_mcp.__file__).parent
ELSEWHERE = {
    "duplicate_seconds": "guard/case.py",  # how far back a twin is looked for
    "code_above": "approval/forms.py",  # what the form asks for, not whether the order may be
}
"""Limits that no check reads, and where each of them is read."""

# Breaks a rule of every kind at once, given these facts and limits: the check's code, a word of what it says, and both.
AT_ONCE = (Leg(limit=Decimal(50100)), Leg())
EXIT = buy(side=Side.SELL)
CONTRACTS = buy(exchange="okex5", pair="USDT-BTC-LONG", legs=AT_ONCE)
FAILING: tuple[tuple[str, str, Mapping[str, Any], Mapping[str, Any]], ...] = (
    ("read_only", "read-only", {"mode": Mode.READ_ONLY}, {}),
    ("halted", "fire", {"halted": "fire"}, {}),
    ("exchange_not_allowed", "exchanges", {}, {"exchanges": ["kraken"]}),
    ("pair_not_allowed", "pairs", {}, {"pairs": ["USDT-ETH"]}),
    ("not_supported", "not documented", {"needs": Capability.CLOSE}, {}),
    ("pair_not_allowed", "Gunbot writes it", {"pairs": ("BTC-USDT", "BTC-USDT-LONG")}, {}),
    ("limit_exceeded", "count contracts", {"intent": CONTRACTS}, {}),
    ("limit_exceeded", "per order", {}, {"max_order": {"USDT": "10"}}),
    ("limit_exceeded", "add up to", {"day_notional": {"USDT": Decimal(990)}}, {}),
    ("limit_exceeded", "sent today", {"day_count": 200}, {}),
    ("price_out_of_band", "away from", {}, {"price_band_percent": "0.1"}),
    ("price_out_of_band", "fills at once", {}, {"wrong_side": "refuse"}),
    ("limit_exceeded", "within a minute", {"minute_count": 30}, {}),
    ("duplicate_order", "abc", {"twin": "abc"}, {}),
    ("limit_exceeded", "of this client were left undecided", {"undecided": 5}, {}),
    ("pair_locked", "def", {"lock": "def"}, {}),
    (
        "limit_exceeded",
        "lost 10",
        {"day_loss": DayLoss(asset="USDT", loss=Decimal(10))},
        {"max_day_loss": {"USDT": "10"}},
    ),
    ("limit_exceeded", "in a row", {"rejections": 3}, {"halt_after_rejections": 3}),
    ("price_out_of_band", "moved", {"seen": Book(bid=Decimal(40000), ask=Decimal(40000))}, {}),
)


def breaking(*which: int) -> Case:
    facts: dict[str, Any] = {}
    rules: dict[str, Any] = {}
    for index in which:
        facts |= FAILING[index][2]
        rules |= FAILING[index][3]
    return case(facts.pop("intent", buy(legs=AT_ONCE)), **facts, limits=limits(**rules))


@pytest.mark.parametrize("first", range(len(FAILING)))
def test_of_several_checks_that_fail_the_first_in_the_numbered_order_decides(first: int) -> None:
    code, word, _, _ = FAILING[first]
    for which in ([first], range(first, len(FAILING))):
        with pytest.raises(Refused, match=word) as refused:
            check_all(breaking(*which))
        assert refused.value.code == code


def test_the_checks_that_need_no_market_run_before_it_is_asked() -> None:
    for index, (code, *_) in enumerate(FAILING[:5]):
        with pytest.raises(Refused) as refused:
            check_static(breaking(index))
        assert refused.value.code == code
    check_static(breaking(*range(5, len(FAILING))))


def test_every_check_has_a_case_that_only_it_refuses() -> None:
    assert len(FAILING) == len(CHECKS)
    for index, check in enumerate(CHECKS):
        with pytest.raises(Refused, match=FAILING[index][1]):
            check.run(breaking(index))
        for other in (row for row in CHECKS if row is not check and row.applies(breaking(index))):
            other.run(breaking(index))


def test_names_are_unique_and_what_needs_fewer_facts_runs_first() -> None:
    assert len({check.name for check in CHECKS}) == len({check.about for check in CHECKS}) == len(CHECKS)
    stages = list(Facts)
    assert [check.facts for check in CHECKS] == sorted((check.facts for check in CHECKS), key=stages.index)


# The verdict


def test_every_check_that_ran_is_in_the_verdict_and_a_moved_market_is_looked_for_before_sending_only() -> None:
    names = tuple(check.name for check in CHECKS)
    assert check_all(case()).checks == names[:-1]
    assert check_all(case(seen=BOOK)).checks == names
    assert names[-1] == "market moved"


def test_a_cancel_passes_the_rows_that_say_so_before_sending_too() -> None:
    passed = tuple(check.name for check in CHECKS if check.cancels)
    assert check_all(case(CANCEL, tool="cancel_order")).checks == passed
    assert check_all(case(CANCEL, tool="cancel_order", seen=BOOK)).checks == passed


def test_a_check_that_asks_for_a_cancels_worst_case_breaks_instead_of_passing() -> None:
    for check in (row for row in CHECKS if "fee_percent" in row.limits):
        with pytest.raises(TypeError):
            check.run(case(CANCEL))


class Reads:
    """Limits that count which of their keys are read."""

    def __init__(self, read: Limits) -> None:
        self._read = read
        self.counted = Counter[str]()

    def __getattr__(self, name: str) -> object:
        self.counted[name] += 1
        return getattr(self._read, name)


def counting(found: Case) -> tuple[Case, Counter[str]]:
    reads = Reads(found.limits)
    return replace(found, limits=cast("Limits", reads)), reads.counted


def test_each_check_runs_once_and_the_worst_case_is_computed_once() -> None:
    found, read = counting(breaking())
    assert check_all(found).warnings
    assert read["wrong_side"] == 1
    assert read["fee_percent"] == 1


# The limits


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_row_names_the_limits_that_its_check_reads(check: Check) -> None:
    read: set[str] = set()
    for found in (*(breaking(index) for index in range(len(FAILING))), case(book=None), breaking(), case(EXIT)):
        one, counted = counting(found)
        with contextlib.suppress(Refused):
            check.run(one)
        read |= set(counted)
    assert read == set(check.limits) - set(ELSEWHERE)


def test_every_limit_is_read_by_a_check_or_in_one_named_place() -> None:
    read = {key for check in CHECKS for key in check.limits}
    assert read | set(ELSEWHERE) == set(Limits.model_fields)
    for key, file in ELSEWHERE.items():
        assert f"limits.{key}" in (PACKAGE / file).read_text(encoding="utf-8")


def test_every_limit_is_in_the_example(root: Path) -> None:
    example = (root / "config.example.toml").read_text(encoding="utf-8")
    table = example.partition("#[instances.gunbot.limits]\n")[2].partition("\n# ---")[0]
    assert set(re.findall(r"^#(\w+) = ", table, re.MULTILINE)) == set(Limits.model_fields)


def test_what_other_clients_left_undecided_keeps_nobody_from_getting_out() -> None:
    out = buy(exchange="bybit", pair="USDT-BTC-SHORT")

    with pytest.raises(LimitExceeded, match="15 orders were left undecided"):
        check_patience(case(undecided_of_all=15))
    assert check_patience(case(out, undecided_of_all=15)) == ()
    with pytest.raises(LimitExceeded, match="5 orders of this client"):
        check_patience(case(out, undecided=5))
