"""The worked sample, whole: every value was computed twice elsewhere, with plain decimals and with other programs."""

from decimal import Context, Decimal
from typing import Any

import pytest
from history.sample import B, Past, S, figures, ms, sample, values

from gunbot_mcp.history.analysis import group_label
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.metrics.table import METRICS

RANGE = ("2026-10-12", "2026-11-01")
"""As `until` a date is its whole day."""
_TEN = Context(prec=10)

ALL_B_S: dict[str, tuple[str, str, str]] = {
    "count": ("25", "16", "9"),
    "buys": ("11", "6", "5"),
    "sells": ("14", "10", "4"),
    "volume": ("14562.2", "6267.2", "8295"),
    "fees": ("14.5622", "6.2672", "8.295"),
    "fee_ratio": ("0.001", "0.001", "0.001"),
    "pnl": ("18.1368", "49.1368", "-31"),
    "recorded": ("18.1368", "49.1368", "-31"),
    "closes": ("15", "10", "5"),
    "wins": ("9", "7", "2"),
    "losses": ("5", "3", "2"),
    "flat": ("1", "0", "1"),
    "win_rate": ("0.6", "0.7", "0.4"),
    "average_win": ("8.199611111", "8.970928571", "5.5"),
    "average_loss": ("-11.13194", "-4.553233333", "-21"),
    "payoff_ratio": ("0.7365841993", "1.970232561", "0.2619047619"),
    "profit_factor": ("1.325851559", "4.597209309", "0.2619047619"),
    "expectancy": ("1.20912", "4.91368", "-6.2"),
    "sqn": ("0.388441058", "1.764133123", "-0.9117647059"),
    "best": ("18.764", "18.764", "8"),
    "worst": ("-30", "-7.8946", "-30"),
    "best_day": ("18.764", "18.764", "8"),
    "worst_day": ("-30", "-5.5392", "-30"),
    "win_streak": ("3", "4", "1"),
    "loss_streak": ("3", "2", "2"),
    "current": ("-1", "-1", "1"),
    "max_drawdown": ("40.0363", "13.4338", "42"),
    "max_drawdown_pct": ("0.03852244496", "0.01302610885", "0.04166666667"),
    "recovery_factor": ("0.4530088944", "3.657699236", "-0.7380952381"),
    "sharpe": ("1.64824458", "7.166840646", "-3.853548461"),
    "sharpe_error": ("4.176797333", "4.313223314", "4.211237336"),
    "sortino": ("2.280171412", "27.45727683", "-3.99989167"),
    "calmar": ("7.873726022", "63.57429625", "-12.82879819"),
    "holding_hours": ("117.6020068", "124.5376675", "112.4845938"),
    "longest_holding_hours": ("236", "236", "225.75"),
    "invested_average": ("1840.502673", "806.2108911", "1034.291782"),
    "invested_max": ("3229", "1251", "2012"),
    "exposure_time": ("0.9782178218", "0.9782178218", "0.9564356436"),
    "turnover": ("3.533273868", "3.424662245", "3.617934576"),
}
DETAILS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "best": ({"id": "500106"}, {"id": "500106"}, {"id": "e-903"}),
    "worst": ({"id": "e-908"}, {"id": "500109"}, {"id": "e-908"}),
    "best_day": ({"day": "10-19"}, {"day": "10-19"}, {"day": "10-15"}),
    "worst_day": ({"day": "10-29"}, {"day": "10-22"}, {"day": "10-29"}),
    "max_drawdown": (
        {
            "start_ms": "10-18T22:15Z",
            "bottom_ms": "10-29T16:45Z",
            "recovered_ms": None,
            "missing": "21.1612",
            "days": "14.03125",
        },
        {
            "start_ms": "10-18T22:15Z",
            "bottom_ms": "10-24T22:30Z",
            "recovered_ms": "10-25T23:30Z",
            "days": "7.052083333",
        },
        {
            "start_ms": "10-17T21:59Z",
            "bottom_ms": "10-29T16:45Z",
            "recovered_ms": None,
            "missing": "39",
            "days": "15.04236111",
        },
    ),
    "sharpe": (
        {"days": 21, "days_with_a_close": 12},
        {"days": 21, "days_with_a_close": 8},
        {"days": 21, "days_with_a_close": 5},
    ),
}


def _ten(value: object) -> Decimal:
    return _TEN.create_decimal(str(value)).normalize()


def _same(value: object, expected: object) -> bool:
    """Compare a fact with the table's way to write it."""
    if isinstance(expected, str) and "T" in expected:
        return value == ms(f"2026-{expected}")
    if isinstance(expected, str) and isinstance(value, Decimal):
        return _ten(value) == Decimal(expected)
    return value == expected


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def three(past: Past) -> tuple[dict[str, Any], ...]:
    """Return the figures of all, of B and of S."""
    asked: dict[str, Any] = {"metrics": tuple(METRICS), "capital": Decimal(1000)}
    found = past.analyse(*RANGE, groups=("pair",), **asked)
    return tuple(dict(figures(found, *labels)) for labels in ((), (B,), (S,)))


@pytest.mark.parametrize("at", [0, 1, 2], ids=["all", "B", "S"])
@pytest.mark.parametrize("name", ALL_B_S)
def test_a_figure_of_the_sample(three: tuple[dict[str, Any], ...], name: str, at: int) -> None:
    found = three[at][name]

    assert found.na is None
    assert _ten(found.value) == Decimal(ALL_B_S[name][at]).normalize()


@pytest.mark.parametrize("at", [0, 1, 2], ids=["all", "B", "S"])
@pytest.mark.parametrize("name", DETAILS)
def test_when_and_which_record_a_figure_of_the_sample_is_of(
    three: tuple[dict[str, Any], ...], name: str, at: int
) -> None:
    detail = dict(three[at][name].detail)
    if "day" in detail:
        detail["day"] = group_label("day", detail["day"]).removeprefix("2026-")

    for key, expected in DETAILS[name][at].items():
        assert _same(detail[key], expected), (key, detail[key])
    assert ("missing" in detail) is ("missing" in DETAILS[name][at])


@pytest.mark.parametrize("key", [B, S])
def test_a_key_alone_is_the_same_as_its_group(past: Past, key: str) -> None:
    grouped = past.analyse(*RANGE, groups=("pair",), metrics=tuple(METRICS))
    alone = past.analyse(*RANGE, keys=(key,), metrics=tuple(METRICS))

    assert values(alone) == values(grouped, key)


def test_figures_by_fifo_lots(past: Past) -> None:
    asked = ("pnl", "closes", "wins", "losses", "sharpe", "max_drawdown")
    found = past.analyse(*RANGE, method=Method.FIFO, metrics=asked)

    assert [_ten(value) for value in values(found).values()] == [
        Decimal(text) for text in ("6.1128", "14", "8", "6", "0.4366847383", "66.0563")
    ]
    [unmatched] = found.unmatched
    assert (unmatched.pair, unmatched.amount, unmatched.cost) == (B, Decimal("0.004"), Decimal(248))


def test_the_signs_of_recorded_and_fifo_pnl_differ_in_october(past: Past) -> None:
    found = past.analyse(*RANGE, groups=("month",), metrics=("recorded", "fifo_net"))

    assert values(found, 2026 * 12 + 9) == {"recorded": Decimal("13.4907"), "fifo_net": Decimal("-4.0223")}
    assert values(found, 2026 * 12 + 10)["recorded"] == Decimal("4.6461")


def test_hours_of_the_day_with_a_doubled_one(past: Past) -> None:
    found = past.analyse(*RANGE, groups=("hour",), metrics=("count", "recorded", "sharpe", "win_streak"))

    assert values(found, 0)["recorded"] == Decimal("26.3704")
    assert values(found, 2) == {
        "count": 2,
        "recorded": Decimal("2.8965"),
        "sharpe": "not_a_series",
        "win_streak": "not_a_series",
    }


def test_days_where_midnight_is_doubled(past: Past) -> None:
    found = past.analyse(zone="America/Havana", groups=("day",), metrics=("recorded", "count"))
    by_day = {group_label("day", cell.labels[0]): cell.figures for cell in found.blocks[0].groups}

    assert by_day["2026-10-31"]["recorded"].value == 3
    assert by_day["2026-11-01"]["recorded"].value == Decimal("1.6461")
    assert by_day["2026-11-01"]["count"].value == 2


WEEKS = """
2026-10-12 | 9 | 5833 | 20.534 | 4 | 3-0-1 | no_losses | 0
2026-10-19 | 8 | 5503.3 | -3.7733 | 5 | 2-3-0 | 0.8516423028 | 25.4338
2026-10-26 | 8 | 3225.9 | 1.3761 | 6 | 4-2-0 | 1.04552718 | 30
"""
WEEKDAYS = """
Mon | 5 | 2992 | 32.771 | 3 | 3-0-0 | no_losses | not_a_series
Tue | 4 | 3653 | 0 | 0 | 0-0-0 | no_losses | not_a_series
Wed | 4 | 3109 | -0.972 | 2 | 1-1-0 | 0.919 | not_a_series
Thu | 3 | 2124.2 | -27.5392 | 3 | 1-2-0 | 0.2251035476 | not_a_series
Fri | 2 | 768 | 14.229 | 1 | 1-0-0 | no_losses | not_a_series
Sat | 1 | 504 | 0 | 1 | 0-0-1 | no_losses | not_a_series
Sun | 6 | 1412 | -0.352 | 5 | 3-2-0 | 0.9566529155 | not_a_series
"""


@pytest.mark.parametrize(("by", "table"), [("week", WEEKS), ("weekday", WEEKDAYS)])
def test_groups_of_the_sample(past: Past, by: str, table: str) -> None:
    asked = ("count", "volume", "pnl", "closes", "wins", "losses", "flat", "profit_factor", "max_drawdown")
    found = past.analyse(*RANGE, groups=(by,), metrics=asked)

    shown: list[str] = []
    for cell in found.blocks[0].groups:
        got = {
            name: one.na.value if one.value is None and one.na else _plain(one.value)
            for name, one in cell.figures.items()
        }
        outcome = "-".join(got.pop(name) for name in ("wins", "losses", "flat"))
        last = [got.pop("profit_factor"), got.pop("max_drawdown")]
        shown.append(" | ".join([group_label(by, cell.labels[0]), *got.values(), outcome, *last]))
    assert shown == table.strip().splitlines()


def _plain(value: object) -> str:
    return format(_ten(value), "f")


METHODS = """
fifo | 50.2 / 44.6278; 6-3 | 63857.14286 / 63984.98498 | -31 / -38.515; 2-3 | 2600 / 2594.805195
lifo | 30.2 / 24.6078; 7-2 | 61000 / 61122.12212 | 4 / -3.55; 3-2 | 2483.333333 / 2478.371628
hifo | 23.2 / 17.6008; 6-3 | 60000 / 60120.12012 | 14 / 6.44; 3-2 | 2450 / 2445.104895
average | 41.08888889 / 35.50757778; 6-3 | 62555.55556 / 62680.7919 | -13.80357143 / -21.33576786; 1-4 | \
2542.678571 / 2537.598295
"""
_HELD = ("wins", "losses", "held", "held_cost", "average_price", "break_even")


@pytest.mark.parametrize("line", METHODS.strip().splitlines(), ids=lambda line: line.partition(" ")[0])
def test_lots_of_the_sample_by_each_method(past: Past, line: str) -> None:
    method = Method(line.partition(" ")[0])
    shown: list[str] = [method.value]
    kept: list[Decimal] = []
    for key in (B, S):
        asked = (f"{method.value}_gross", f"{method.value}_net", *_HELD)
        found = past.analyse(*RANGE, keys=(key,), method=method, metrics=asked)
        gross, net, won, lost, held, cost, average, even = (_ten(value) for value in values(found).values())
        shown += [f"{_plain(gross)} / {_plain(net)}; {won}-{lost}", f"{_plain(average)} / {_plain(even)}"]
        assert held == {B: Decimal("0.007"), S: Decimal("0.3")}[key]
        kept.append(gross - cost if key == B else gross + cost)

    assert " | ".join(shown) == line
    # Whatever the method, what was won and what is held are worth the same together.
    assert [_ten(value) for value in kept] == [Decimal("-396.8"), Decimal(749)]
