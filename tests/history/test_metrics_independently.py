"""Every metric, on generated histories, equals a plain computation with fractions that shares no code with ours."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from history.independent import Record, fraction, invested, local_day, metrics, twelve, walk
from history.sample import LATER, Past, figures, values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.metrics.table import METRICS
from gunbot_mcp.history.zones import day_start, millis

KEYS = ("binance/USDT-BTC", "binance/USDT-ETH", "bybit/USDT-SOL-SHORT")
ZONES = ("UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia")
START = datetime(2026, 9, 20, tzinfo=UTC)
_MONEY = st.decimals("0.01", "999", places=2)
_EXACT = ("count", "buys", "sells", "closes", "wins", "losses", "flat", "win_streak", "loss_streak", "current")


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Record]]:
    """Draw some weeks of some pairs: grids, bursts in one millisecond, sales of what was never bought."""
    made: list[tuple[str, Record]] = []
    minutes = draw(st.lists(st.integers(0, 42 * 24 * 60 - 1), min_size=1, max_size=40))
    for number, minute in enumerate(minutes):
        rate = draw(_MONEY)
        amount = draw(st.sampled_from(["0.001", "0.003", "0.5", "1", "1.75", "0.00012345"]))
        cost = Decimal(str(rate)) * Decimal(amount)
        made.append(
            (
                draw(st.sampled_from(KEYS)),
                {
                    "time": millis(START + timedelta(minutes=minute)),
                    "type": draw(st.sampled_from(["buy", "sell"])),
                    "rate": str(rate),
                    "amount": amount,
                    "id": draw(st.sampled_from(["", "x", "00"])) + str(number),
                    "cost": str(cost),
                    "fees": str(cost * Decimal(draw(st.sampled_from(["0.001", "0.00075", "0"])))),
                    "pnl": "0",
                },
            )
        )
    for key, one in made:
        if one["type"] == ("buy" if key.endswith("SHORT") else "sell"):
            one["pnl"] = str(draw(st.decimals("-50", "50", places=draw(st.integers(0, 6)))))
    return made


def _expected(value: Any) -> Any:  # noqa: ANN401 - a number of any kind
    return None if value is None else value if isinstance(value, int) else twelve(value)


def _ours(value: object) -> Any:  # noqa: ANN401 - a number of any kind
    return None if isinstance(value, str) else twelve(Decimal(value)) if isinstance(value, Decimal) else value


_ALLOWED = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large)
_FEW = settings(max_examples=2, deadline=None, suppress_health_check=_ALLOWED)
_MANY = settings(max_examples=25, deadline=None, suppress_health_check=_ALLOWED)


@pytest.mark.parametrize("method", [None, Method.FIFO], ids=str)
@_FEW
@given(records=histories(), zone=st.sampled_from(ZONES))
def test_every_metric_equals_the_plain_computation(
    tmp_path: Path, method: Method | None, records: list[tuple[str, Record]], zone: str
) -> None:
    _compare(tmp_path, method, records, zone)


@pytest.mark.slow
@pytest.mark.parametrize("method", [None, *Method], ids=str)
@_MANY
@given(records=histories(), zone=st.sampled_from(ZONES))
def test_every_metric_equals_the_plain_computation_of_many_histories(
    tmp_path: Path, method: Method | None, records: list[tuple[str, Record]], zone: str
) -> None:
    _compare(tmp_path, method, records, zone)


def _compare(tmp_path: Path, method: Method | None, records: list[tuple[str, Record]], zone: str) -> None:
    capital = Decimal(5000)
    told = walk(records, method.value if method else "fifo")
    expected = metrics(told, zone, millis(LATER), by_lots=method is not None, capital=Fraction(capital))
    first = min(one["time"] for _, one in records)
    since = day_start(zone, local_day(first, zone))
    fifo = told if method in {None, Method.FIFO} else walk(records, "fifo")
    expected |= invested(fifo, since, millis(LATER))
    if fifo.basis:
        expected |= {
            "holding_hours": fifo.waited / fifo.basis / 3_600_000,
            "longest_holding_hours": Fraction(fifo.longest, 3_600_000),
        }

    past = Past.of(tmp_path, records)
    found = values(past.analyse(zone=zone, method=method, capital=capital, metrics=tuple(METRICS)))

    wrong = {
        name: (found[name], str(value))
        for name, value in expected.items()
        if not _close(_ours(found[name]), _expected(value), name)
    }
    assert wrong == {}


def _close(ours: Any, expected: Any, name: str) -> bool:  # noqa: ANN401 - numbers of any kind
    """Sums and counts to the last digit; shares of lots are cut at 1e-18, which twelve digits of tiny ones may show."""
    if name in _EXACT or ours is None or expected is None:
        return ours == expected or (name == "turnover" and not expected)
    return abs(Decimal(ours) - Decimal(expected)) <= max(abs(Decimal(expected)) * Decimal("2e-11"), Decimal("1e-15"))


@_FEW
@given(records=histories())
def test_what_is_held_is_what_the_plain_lots_have_left(tmp_path: Path, records: list[tuple[str, Record]]) -> None:
    told = walk(records, "fifo")
    past = Past.of(tmp_path, records)

    found = past.analyse(groups=("pair",), metrics=("held", "held_cost", "average_price", "break_even"))

    for cell in found.blocks[0].groups:
        key = str(cell.labels[0])
        lots = told.lots[key]
        cost, amount, fees = (
            sum((getattr(lot, one) for lot in lots), Fraction(0)) for one in ("cost", "amount", "fees")
        )
        if cost < Fraction(1, 100):
            assert cell.figures["held"].value == 0
            continue
        own = [one for at, one in records if at == key]
        fees_paid, traded = (sum((fraction(one[name]) for one in own), Fraction(0)) for name in ("fees", "cost"))
        rate = fees_paid / traded
        even = (cost - fees) / amount / (1 + rate) if key.endswith("SHORT") else (cost + fees) / amount / (1 - rate)
        assert _close(_ours(cell.figures["held"].value), twelve(amount), "held")
        assert _close(_ours(cell.figures["average_price"].value), twelve(cost / amount), "average_price")
        assert _close(_ours(cell.figures["break_even"].value), twelve(even), "break_even")


# Metamorphic: what may not change the figures does not, and parts add up


_SUMS = ("count", "buys", "volume", "fees", "recorded", "fifo_net", "closes", "wins", "losses")


def _sums(found: Any) -> dict[str, Any]:  # noqa: ANN401 - an analysis
    return (
        {name: 0 if isinstance(value, str) else value for name, value in values(found).items()} if found.blocks else {}
    )


def _adds_up(parts: Sequence[Mapping[str, Any]], whole: Mapping[str, Any]) -> None:
    """Sums add up to the last digit; a net of lots may have been divided, and then has twelve digits in each part."""
    for name in _SUMS:
        found = [part.get(name, 0) for part in parts]
        allowed = sum(map(abs, found)) * Decimal("1e-11") if name == "fifo_net" else 0
        assert abs(sum(found) - whole.get(name, 0)) <= allowed, (name, found, whole)


@pytest.mark.slow
@_MANY
@given(records=histories(), minute=st.integers(0, 42 * 24 * 60), shuffled=st.randoms(use_true_random=False))
def test_splitting_a_range_adds_up_and_the_order_of_arrival_changes_nothing(
    tmp_path: Path,
    records: list[tuple[str, Record]],
    minute: int,
    shuffled: Any,  # noqa: ANN401 - hypothesis' Random
) -> None:
    past = Past.of(tmp_path, records)
    whole = _sums(past.analyse(metrics=_SUMS))
    at = (START + timedelta(minutes=minute)).isoformat()

    before, after = (_sums(past.analyse(*period, metrics=_SUMS)) for period in ((None, at), (at, None)))

    _adds_up([before, after], whole)
    other = list(records)
    shuffled.shuffle(other)
    everything = tuple(METRICS)
    again = Past.of(tmp_path, other).analyse(metrics=everything, groups=("pair",))
    assert again.blocks == past.analyse(metrics=everything, groups=("pair",), keep=False).blocks


@pytest.mark.slow
@_MANY
@given(records=histories(), zone=st.sampled_from(ZONES))
def test_a_zone_moves_days_only_and_keys_sum_to_the_whole(
    tmp_path: Path, records: list[tuple[str, Record]], zone: str
) -> None:
    past = Past.of(tmp_path, records)
    whole = _sums(past.analyse(zone="UTC", metrics=_SUMS))

    assert _sums(past.analyse(zone=zone, metrics=_SUMS)) == whole
    by_day = past.analyse(zone=zone, metrics=_SUMS, groups=("day", "side"))
    for found in (by_day, past.analyse(zone=zone, metrics=_SUMS, groups=("month", "weekday"))):
        _adds_up([{name: cell.figures[name].value or 0 for name in _SUMS} for cell in found.blocks[0].groups], whole)
    parts = [_sums(past.analyse(zone=zone, keys=(key,), metrics=_SUMS)) for key in past.files]
    _adds_up(parts, whole)
    assert figures(by_day)["count"].value == len(records)
