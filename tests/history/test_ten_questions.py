"""Ten questions that people ask: at most two calls and two kilobytes each, exact, whatever form a client shows."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from history.independent import Close, closes, fraction, walk
from history.six_pairs import BTC, NOW, NOW_MS, Account, account, records

from gunbot_mcp.render import Answer
from gunbot_mcp.tickets.channels import TERMINAL

pytestmark = pytest.mark.anyio
Tell = Callable[[str], None]
ALL = [(key, record) for key, made in records().items() for record in made]
CLOSES = walk(ALL, "fifo").closes
OCTOBER = tuple(int(datetime(2026, month, 1, tzinfo=UTC).timestamp() * 1000) for month in (10, 11))
CENT = Decimal("0.01")


@pytest.fixture(scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Account]:
    """The account once for all questions; each counts its own calls."""
    folder = tmp_path_factory.mktemp("six pairs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUNBOT_MCP_HOME", str(folder / "home"))
        async with account(folder) as running:
            yield running


def within_target(tell: Tell, question: str, *answers: Answer) -> None:
    """Check and print what the calls of a question cost: each form is complete, and a client shows one of them."""
    text = sum(len(answer.text.encode()) for answer in answers)
    facts = sum(len(json.dumps(answer.structured, separators=(",", ":")).encode()) for answer in answers)
    tell(f"{question}: {len(answers)} calls, {text} bytes of text, {facts} of JSON")
    assert len(answers) <= 2
    assert text <= 2_000
    assert facts <= 2_000


def totals(answer: Answer) -> dict[str, Any]:
    return answer.structured["totals"]["USDT"]


def cells(answer: Answer) -> list[dict[str, Any]]:
    found = answer.structured
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


class Near:
    """Equal to a number, in its text's every digit, but for what a share of a lot is cut to (1e-11 of it)."""

    def __init__(self, value: Fraction) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return abs(Fraction(str(other)) - self._value) <= abs(self._value) / 10**11

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return repr(float(self._value))


def exact(value: Fraction) -> Near:
    return Near(value)


def recorded(found: list[Close]) -> Fraction:
    return sum((close.recorded for close in found), Fraction(0))


def by_day(found: list[Close]) -> dict[str, Fraction]:
    days: dict[str, Fraction] = {}
    for close in found:
        day = datetime.fromtimestamp(close.time / 1000, UTC).date().isoformat()
        days[day] = days.get(day, Fraction(0)) + close.recorded
    return days


async def test_how_did_i_do_last_month(asked: Account, tell: Tell) -> None:
    answer = await asked.ask("analyze_orders", since="last month")

    month = [close for close in CLOSES if OCTOBER[0] <= close.time < OCTOBER[1]]
    assert totals(answer)["closes"] == len(month)
    assert totals(answer)["recorded"] == exact(recorded(month))
    assert totals(answer)["fifo_net"] == exact(sum((close.net or Fraction(0) for close in month), Fraction(0)))
    assert totals(answer)["wins"] == sum(close.recorded > 0 for close in month)
    assert f"October 2026: {Decimal(float(recorded(month))).quantize(CENT):+}" in answer.text
    within_target(tell, "how did I do last month", answer)


async def test_my_average_buy_price_and_break_even_on_btc(asked: Account, tell: Tell) -> None:
    every = await asked.ask("analyze_orders", group_by=["pair"], metrics=["held", "average_price", "break_even"])
    answer = await asked.ask("analyze_orders", keys=[BTC], metrics=["average_price", "break_even"])

    lots = walk([(BTC, record) for record in records()[BTC]], "fifo").lots[BTC]
    amount, cost, fees = (sum((getattr(lot, name) for lot in lots), Fraction(0)) for name in ("amount", "cost", "fees"))
    fee = sum((fraction(one["fees"]) for one in records()[BTC]), Fraction(0)) / sum(
        (fraction(one["cost"]) for one in records()[BTC]), Fraction(0)
    )
    [row] = [row for row in cells(every) if row["pair"] == BTC]
    for found in (row, totals(answer)):
        assert found["average_price"] == exact(cost / amount)
        assert found["break_even"] == exact((cost + fees) / (amount * (1 - fee)))
    assert "LIFO" in answer.text
    assert "ABP" in answer.text
    within_target(tell, "my average buy price and break-even on BTC", every, answer)


async def test_which_pair_lost_most(asked: Account, tell: Tell) -> None:
    answer = await asked.ask("analyze_orders", group_by=["pair"], sort="recorded", limit=1)

    sums = {key: recorded([close for close in CLOSES if close.key == key]) for key in records()}
    worst = min(sums, key=lambda key: sums[key])
    assert cells(answer)[0]["pair"] == worst
    assert cells(answer)[0]["recorded"] == exact(sums[worst])
    assert answer.text.splitlines()[1].startswith(f"{worst}: {Decimal(float(sums[worst])).quantize(CENT)} USDT")
    within_target(tell, "which pair lost most", answer)


async def test_what_did_fees_cost_me_this_year(asked: Account, tell: Tell) -> None:
    answer = await asked.ask("analyze_orders", since="this year", metrics=["fees", "volume", "fee_ratio"])

    assert totals(answer)["fees"] == exact(sum((fraction(record["fees"]) for _, record in ALL), Fraction(0)))
    assert totals(answer)["volume"] == exact(sum((fraction(record["cost"]) for _, record in ALL), Fraction(0)))
    within_target(tell, "what did fees cost me this year", answer)


async def test_is_the_bot_better_on_weekends(asked: Account, tell: Tell) -> None:
    answer = await asked.ask("analyze_orders", group_by=["weekday"])

    for number, row in enumerate(cells(answer)):
        found = [one for one in CLOSES if datetime.fromtimestamp(one.time / 1000, UTC).weekday() == number]
        assert row["weekday"] == ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[number]
        assert row["pnl"] == exact(recorded(found))
        assert row["closes"] == len(found)
    within_target(tell, "is the bot better on weekends", answer)


async def test_my_worst_day_and_how_i_recovered(asked: Account, tell: Tell) -> None:
    answer = await asked.ask("analyze_orders", metrics=["worst_day"])

    days = by_day(CLOSES)
    worst = min(days, key=lambda day: (days[day], day))
    since, back = Fraction(0), ""
    for day in sorted(days):
        since += days[day] if day > worst else 0
        back = back or (day if day > worst and since >= -days[worst] else "")
    assert totals(answer)["worst_day"] == exact(days[worst])
    assert answer.structured["days"][0]["day"] == worst
    on = datetime.fromisoformat(back)
    assert (
        f"Since then {Decimal(float(since)).quantize(CENT):+}, which made up for it on {on.day} {on:%b}" in answer.text
    )
    within_target(tell, "my worst day and how I recovered", answer)


async def test_open_exposure_now_in_usdt(asked: Account, tell: Tell) -> None:
    answer = await asked.ask("get_positions", value_in="USDT")

    lots = walk(ALL, "fifo").lots
    rows = cells(answer)
    shown = [row for row in rows if row["source"] == "lots"]
    assert shown
    for row in shown:
        amount = sum((lot.amount for lot in lots[f"{row['exchange']}/{row['held']}"]), Fraction(0))
        signed = -amount if row["held"].endswith("-SHORT") else amount
        assert float(str(row["amount"])) == pytest.approx(float(signed), rel=1e-9)
    assert all(row["amount"] for row in rows)
    # The paper market's own prices stand still: 51,000 a bitcoin, 2,700 an ether, 0.55 an XRP.
    exposure = Decimal("0.036") * 51000 + Decimal("1.25") * 2700 + Decimal("812.5") * Decimal("0.55")
    assert float(str(answer.structured["sums"]["exposure"])) == pytest.approx(float(exposure), rel=1e-3)
    within_target(tell, "open exposure now, in USDT", answer)


async def test_draw_my_last_30_days(asked: Account, tell: Tell) -> None:
    answer = await asked.ask("chart_orders", chart="pnl")

    begin = int(datetime(2026, 10, 22, tzinfo=UTC).timestamp() * 1000)
    pnl = recorded([close for close in CLOSES if begin <= close.time < NOW_MS])
    assert cells(answer)[-1]["pnl"] == exact(pnl)
    assert f"end {Decimal(float(pnl)).quantize(CENT):+}" in answer.text
    assert answer.picture is None or answer.picture.data.startswith(b"\x89PNG")
    within_target(tell, "draw my last 30 days", answer)


async def test_did_my_stop_fill_and_at_what_price_and_what_did_you_do_today_and_who_approved(
    asked: Account, tell: Tell
) -> None:
    # Last in the file: its order is one more record of the history.
    await asked.set_price(60_000)
    stop = {"stop_price": 58_000, "limit_price": 57_900}
    ticket = await asked.propose("sell_stop_limit", exchange="binance", pair="USDT-BTC", amount=0.001, **stop)
    await (await asked.runtime.desk()).approve(ticket, by=TERMINAL)
    asked.pass_seconds(60)
    await asked.set_price(57_950)
    asked.pass_seconds(60)

    listed = await asked.ask("list_tickets", since="today")
    looked = await asked.ask("get_ticket", ticket_id=ticket)
    fill = await asked.ask("query_orders", sql="SELECT price, amount FROM orders JOIN fills_by_ticket USING (key, id)")

    [[price, amount]] = fill.structured["rows"]
    assert amount == 0.001
    assert f"filled, 0.001 at {price:,}" in looked.text
    [row] = cells(listed)
    assert (row["id"], row["proposed_by"], row["decided_by"]) == (ticket, "claude", "terminal")
    assert row["decided_at"] == NOW.isoformat().replace("+00:00", "Z")
    within_target(tell, "did my stop fill, and at what price", listed, looked)
    within_target(tell, "what did you do today and who approved", listed)


def test_the_account_is_the_one_that_was_asked_for() -> None:
    assert len(records()) == 6
    assert len(ALL) == 2_500
    assert any(closes(key, record) for key, record in ALL)
