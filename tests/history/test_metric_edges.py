"""Records and ranges at the edge: what counts, what is left out and said, and why there is no number."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from history.sample import B, Past, Record, figures, record, values

from gunbot_mcp.errors import InvalidArguments
from gunbot_mcp.history.analysis import group_label
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.metrics.names import near_metrics
from gunbot_mcp.history.metrics.table import METRICS
from gunbot_mcp.history.question import Only
from gunbot_mcp.history.reader import Fill

DAY = "2026-10-{:02d}T10:00Z"


def trades(*pnl: object, key: str = B, start: int = 1) -> list[tuple[str, Record]]:
    """Return one sale a day with these pnl."""
    return [
        (key, record(DAY.format(start + day), "sell", 100, 1, pnl=value, id=str(day))) for day, value in enumerate(pnl)
    ]


NO_NUMBER: tuple[tuple[str, str, list[tuple[str, Record]]], ...] = (
    ("fee_ratio", "no_volume", [(B, record(DAY.format(1), "buy", 100, 1, fees=None))]),
    ("win_rate", "no_closes", [(B, record(DAY.format(1), "buy", 100, 1))]),
    ("average_win", "no_wins", trades(-1)),
    ("average_loss", "no_losses", trades(1)),
    ("payoff_ratio", "no_wins", trades(-1)),
    ("payoff_ratio", "no_losses", trades(1)),
    ("profit_factor", "no_losses", trades(1, 0)),
    ("expectancy", "no_closes", [(B, record(DAY.format(1), "buy", 100, 1))]),
    ("best", "no_closes", [(B, record(DAY.format(1), "buy", 100, 1))]),
    ("best_day", "no_closes", [(B, record(DAY.format(1), "buy", 100, 1))]),
    ("max_drawdown_pct", "needs_capital", trades(1, -1)),
    ("recovery_factor", "no_drawdown", trades(1, 2)),
    ("sharpe", "few_days", trades(1, -1, start=30)),
    ("sharpe", "few_days_with_a_close", trades(1, -1, 2)),
    ("sharpe", "no_closes", [(B, record(DAY.format(1), "buy", 100, 1))]),
    ("sortino", "no_losing_day", trades(1, 2, 3, 4, 5)),
    ("calmar", "no_drawdown", trades(1, 2, 3, 4, 5)),
    ("sqn", "one_close", trades(1)),
    ("sqn", "no_spread", trades(1, 1)),
    ("holding_hours", "nothing_matched", trades(1)),
    ("turnover", "nothing_invested", trades(1)),
    ("average_price", "flat", trades(1)),
    ("fifo_net", "nothing_matched", trades(1)),
    ("amount_sold", "contracts", trades(1, key="bitmex/XBTUSD")),
    ("fifo_net", "contracts", trades(1, key="bitmex/XBTUSD")),
    ("held", "contracts", trades(1, key="okex5/USDT-BTC-LONG")),
)


@pytest.mark.parametrize(("name", "reason", "records"), NO_NUMBER, ids=[f"{name}-{why}" for name, why, _ in NO_NUMBER])
def test_a_metric_without_a_number_says_why(
    tmp_path: Path, name: str, reason: str, records: list[tuple[str, Record]]
) -> None:
    assert values(Past.of(tmp_path, records).analyse(metrics=(name,)))[name] == reason


def test_a_curve_that_never_fell_has_a_drawdown_of_zero(tmp_path: Path) -> None:
    assert values(Past.of(tmp_path, trades(1, 0, 2)).analyse(metrics=("max_drawdown",))) == {"max_drawdown": 0}


def test_a_first_loss_falls_from_the_start_of_the_range(tmp_path: Path) -> None:
    [fall] = figures(Past.of(tmp_path, trades(-5, 2)).analyse(zone="UTC", metrics=("max_drawdown",))).values()

    assert (fall.value, fall.detail["missing"]) == (5, 3)
    assert fall.detail["start_ms"] == 1790812800000  # 2026-10-01T00:00Z


def test_of_equal_falls_and_equal_extremes_the_earlier_is_told(tmp_path: Path) -> None:
    found = figures(Past.of(tmp_path, trades(3, -2, 2, -2, 3)).analyse(metrics=("max_drawdown", "best", "worst")))

    assert [found[name].detail["id"] for name in ("best", "worst")] == ["0", "1"]
    bottom = 1790812800000 + 86_400_000 + 36_000_000
    assert found["max_drawdown"].detail["bottom_ms"] == bottom


def test_a_flat_close_ends_both_streaks(tmp_path: Path) -> None:
    found = values(
        Past.of(tmp_path, trades(1, 1, 0, 1, -1, -1, 0)).analyse(metrics=("win_streak", "loss_streak", "current"))
    )

    assert found == {"win_streak": 2, "loss_streak": 2, "current": 0}


def test_a_close_without_pnl_counts_as_a_record_only_and_is_told(tmp_path: Path) -> None:
    past = Past.of(tmp_path, [*trades(4), (B, record(DAY.format(9), "sell", 100, 1, pnl=None))])

    assert values(past.analyse(metrics=("count", "closes", "win_rate"))) == {"count": 2, "closes": 1, "win_rate": 1}
    assert "1 close without a recorded pnl: in count only" in past.answer().text
    assert past.answer().structured["without_pnl"] == 1


def test_unknown_fees_add_nothing_and_leave_their_record_out_of_the_ratio(tmp_path: Path) -> None:
    records = [
        (B, record(DAY.format(1), "buy", 100, 1, fees="0.1")),
        (B, record(DAY.format(2), "buy", 300, 1, fees=None)),
    ]

    past = Past.of(tmp_path, records)
    found = values(past.analyse(metrics=("volume", "fees", "fee_ratio")))

    assert found == {"volume": 400, "fees": Decimal("0.1"), "fee_ratio": Decimal("0.001")}
    for metrics in ((), ("fees",), ("fee_ratio",), ("lifo_net",)):
        answer = past.answer(metrics=metrics)
        assert "1 order without recorded fees: counted as 0" in answer.text
        assert answer.structured["without_fees"] == 1
    assert "fees" not in past.answer(metrics=("count", "volume")).text


def test_a_cost_that_is_left_out_is_rate_times_amount(tmp_path: Path) -> None:
    long = {"rate": "0.1234567890123", "amount": "0.9876543210987", "cost": None}
    records = [(B, record(DAY.format(1), "buy", 100, 2, cost=None)), (B, record(DAY.format(2), "buy", 1, 1) | long)]

    found = values(Past.of(tmp_path, records).analyse(metrics=("volume",)))

    assert found["volume"] == 200 + (Decimal(long["rate"] or 0) * Decimal(long["amount"] or 0)).quantize(
        Decimal("1e-18")
    )


def test_any_record_with_pnl_closes_and_futures_without_a_side_close_by_it_alone(tmp_path: Path) -> None:
    future = "binanceFutures/USDT-BTC"
    records = [
        (B, record(DAY.format(1), "buy", 100, 1, pnl=2)),
        (future, record(DAY.format(2), "sell", 100, 1)),
        (future, record(DAY.format(3), "buy", 90, 1, pnl=10)),
    ]

    found = Past.of(tmp_path, records).analyse(groups=("pair",), metrics=("closes", "pnl"))

    assert values(found, B) == {"closes": 1, "pnl": 2}
    assert values(found, future) == {"closes": 1, "pnl": 10}


def test_openings_come_before_closes_of_the_same_instant_and_ids_by_their_value(tmp_path: Path) -> None:
    at = DAY.format(1)
    records = [
        (B, record(at, "sell", 120, 1, pnl=-1, id="a")),
        (B, record(at, "sell", 120, 1, pnl=5, id="10")),
        (B, record(at, "sell", 120, 1, pnl=-3, id=9)),
        (B, record(at, "buy", 100, 3, id="z")),
    ]

    found = figures(Past.of(tmp_path, records).analyse(metrics=("fifo_gross", "max_drawdown", "current")))

    assert found["fifo_gross"].value == 60
    # 9, 10, a: -3, +5, -1.
    assert (found["max_drawdown"].value, found["current"].value) == (3, -1)


def test_filters_choose_what_counts_and_never_which_lots_exist(tmp_path: Path) -> None:
    records = [
        (B, record(DAY.format(1), "buy", 100, 1)),
        (B, record(DAY.format(2), "buy", 110, 1)),
        (B, record(DAY.format(3), "sell", 130, 1, pnl=30)),
        (B, record(DAY.format(4), "sell", 140, 1, pnl=30)),
    ]
    past = Past.of(tmp_path, records)

    def asked(only: Only, *period: str) -> list[Any]:
        return list(values(past.analyse(*period, only=only, metrics=("count", "fifo_gross"))).values())

    assert asked(Only(side="sell")) == [2, 60]
    assert asked(Only(least_price=Decimal(135))) == [1, 30]
    assert asked(Only(most_price=Decimal(130), closes=True)) == [1, 30]
    assert asked(Only(least_amount=Decimal("0.5"), most_amount=Decimal(1))) == [4, 60]
    assert asked(Only(), "2026-10-04") == [1, 30]


def test_who_placed_an_order_is_a_filter(tmp_path: Path) -> None:
    fill = Fill(key=B, id="0", ticket="k7x2mp9q", client="claude", approved_by=None, approved_at=None, summary="")
    past = Past.of(tmp_path, trades(1, 2, 4), [fill])

    def pnl(by: str) -> object:
        return values(past.analyse(only=Only(by=by), metrics=("pnl",)))["pnl"]

    assert [pnl(by) for by in ("ticket", "bot", "claude", "k7x2mp9q")] == [1, 6, 1, 1]
    with pytest.raises(InvalidArguments) as caught:
        pnl("clod'e")
    assert "a client: claude" in caught.value.hint


def test_a_crossing_future_closes_long_and_opens_short(tmp_path: Path) -> None:
    key = "bybit/USDT-BTC-LONG"
    crossing = "asterFutures/USDT-BTC"
    records = [
        (crossing, record(DAY.format(1), "buy", 100, 1)),
        (crossing, record(DAY.format(2), "sell", 130, 3, pnl=30)),
        (key, record(DAY.format(2), "buy", 100, 1)),
    ]

    # What an amount counts there is not known, so lots have no figures; the other key has.
    found = Past.of(tmp_path, records).analyse(groups=("pair",), metrics=("held", "fifo_gross", "closes"))

    assert values(found, crossing) == {"held": "contracts", "fifo_gross": "contracts", "closes": 1}
    assert values(found, key) == {"held": 1, "fifo_gross": "nothing_matched", "closes": 0}


def test_contracts_of_a_size_that_the_user_gave_are_multiplied(tmp_path: Path) -> None:
    crossing, other = "asterFutures/USDT-DOGE", "asterFutures/USDT-XRP"
    records = [
        (crossing, record(DAY.format(1), "buy", 2, 5, cost=None, fees=0)),
        (crossing, record(DAY.format(2), "sell", 3, 2, cost=None, fees=0, pnl=200)),
        (other, record(DAY.format(2), "buy", 2, 5)),
    ]
    past, asked = Past.of(tmp_path, records), ("held", "amount_bought", "volume", "fifo_gross")
    unknown = past.analyse(groups=("pair",), metrics=asked)

    found = past.analyse(groups=("pair",), metrics=asked, sizes={crossing: Decimal(100)})

    # What was kept of the same files without a size is not taken for it.
    assert values(unknown, crossing)["held"] == "contracts"
    assert values(found, crossing) == {"held": 300, "amount_bought": 500, "volume": 1600, "fifo_gross": 200}
    assert values(found, other)["held"] == "contracts"


def test_dust_counts_as_flat(tmp_path: Path) -> None:
    records = [
        (B, record(DAY.format(1), "buy", 100, "1.00005")),
        (B, record(DAY.format(2), "sell", 100, 1)),
    ]

    assert values(Past.of(tmp_path, records).analyse(metrics=("held", "break_even"))) == {
        "held": 0,
        "held_cost": 0,
        "average_price": "flat",
        "break_even": "flat",
    }


@pytest.mark.parametrize(
    ("pair", "left", "held"),
    [
        ("USDT-BTC", "0.0099", 0),
        ("USDT-BTC", "0.01", Decimal("0.01")),
        # A hundredth of a bitcoin is much money, and no dust: what is not counted in cents has a dust of its own.
        ("BTC-ETH", "0.0099", Decimal("0.0099")),
        ("BTC-ETH", "0.0000009", 0),
    ],
)
def test_what_counts_as_dust_depends_on_what_is_paid_with(
    tmp_path: Path, pair: str, left: str, held: Decimal | int
) -> None:
    key = f"binance/{pair}"
    records = [
        (key, record(DAY.format(1), "buy", 1, str(1 + Decimal(left)))),
        (key, record(DAY.format(2), "sell", 1, 1)),
    ]

    assert values(Past.of(tmp_path, records).analyse(metrics=("held",)))["held"] == held


def test_the_curve_starts_again_with_each_month_and_all_groups_share_the_range(tmp_path: Path) -> None:
    records = [*trades(5, start=30), *trades(-2, key="binance/USDT-ETH", start=31)]
    records += [(B, record("2026-11-01T20:00Z", "sell", 100, 1, pnl=-1, id="n"))]

    found = Past.of(tmp_path, records).analyse(zone="UTC", groups=("month",), metrics=("max_drawdown", "pnl"))

    assert values(found)["max_drawdown"] == 3
    assert [cell.figures["max_drawdown"].value for cell in found.blocks[0].groups] == [2, 1]


def test_a_question_whose_lots_are_kept_opens_none_of_the_mirrors_own_files(tmp_path: Path) -> None:
    past = Past.of(tmp_path, trades(1, -2, 3))
    before = past.analyse(groups=("day",))
    for file in past.files.values():
        file.unlink()

    assert values(past.analyse(groups=("day",))) == values(before)


def test_what_is_held_at_the_end_of_each_month(tmp_path: Path) -> None:
    records = [
        (B, record("2026-08-05T10:00Z", "buy", 100, 1)),
        (B, record("2026-09-05T10:00Z", "buy", 100, 2)),
        (B, record("2026-10-05T10:00Z", "sell", 100, "1.5")),
    ]

    found = Past.of(tmp_path, records).analyse("2026-09-01", None, groups=("month",), metrics=("held",))

    months = {group_label("month", cell.labels[0]): cell.figures["held"].value for cell in found.blocks[0].groups}
    assert months == {"2026-09": 3, "2026-10": Decimal("1.5")}


def test_a_sum_too_large_to_be_exact_is_refused(tmp_path: Path) -> None:
    huge = {"rate": 1, "amount": "90000000000000000000", "cost": "90000000000000000000", "fees": 0}
    past = Past.of(tmp_path, [(B, record(DAY.format(day), "sell", 1, 1, id=str(day)) | huge) for day in (1, 2)])

    with pytest.raises(InvalidArguments, match="too large to be added exactly"):
        past.analyse(metrics=("volume",))


def test_no_records_at_all_are_no_figures(tmp_path: Path) -> None:
    found = Past.of(tmp_path, []).analyse(metrics=tuple(METRICS))

    assert (found.blocks, found.first_known_ms, found.count) == ([], None, 0)


def test_what_is_kept_is_used_again_and_made_anew_for_other_files(tmp_path: Path) -> None:
    past = Past.of(tmp_path, trades(1))
    folder = past.folder / "matched"
    first = past.analyse(metrics=("pnl",))
    [kept] = folder.iterdir()
    before = kept.stat().st_mtime_ns

    assert past.analyse(metrics=("pnl",)) == first
    assert [file.stat().st_mtime_ns for file in folder.iterdir()] == [before]
    assert kept.stat().st_mode & 0o777 == 0o600
    past.analyse(metrics=("lifo_net",))
    assert len(list(folder.iterdir())) == 2


def test_what_is_kept_lies_in_the_order_of_time_in_groups_that_a_question_about_a_month_leaves_out(
    tmp_path: Path,
) -> None:
    hours = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(10_000)]
    past = Past.of(
        tmp_path,
        [(B, record(at.isoformat(), ("buy", "sell")[at.hour % 2], 100, 1, id=str(at))) for at in reversed(hours)],
    )
    past.analyse(metrics=("fifo_net",))
    [kept] = (past.folder / "matched").iterdir()

    with duckdb.connect() as connection:
        groups = connection.execute(
            "SELECT stats_min_value::BIGINT, stats_max_value::BIGINT FROM parquet_metadata(?) "
            "WHERE path_in_schema = 'time_ms' ORDER BY row_group_id",
            [str(kept)],
        ).fetchall()

    assert len(groups) > 1
    assert all(last < first for (_, last), (first, _) in pairwise(groups))


def test_a_folder_that_cannot_be_written_costs_time_and_no_answer(tmp_path: Path) -> None:
    past = Past.of(tmp_path, trades(1))
    (past.folder / "matched").write_text("a file is in the way", encoding="utf-8")

    assert values(past.analyse(metrics=("pnl",))) == {"pnl": 1}


@pytest.mark.parametrize(
    ("meant", "metric"),
    [("winrate", "win_rate"), ("drawdown", "max_drawdown"), ("Sharpe", "sharpe"), ("trades", "closes")],
)
def test_the_nearest_metric_is_told(meant: str, metric: str) -> None:
    assert near_metrics(meant)[0] == metric


def test_every_metric_is_a_row_with_a_formula() -> None:
    assert all(metric.formula and metric.name == name for name, metric in METRICS.items())
    assert {f"{method}_net" for method in Method} < set(METRICS)
