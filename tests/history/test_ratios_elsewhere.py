"""Sharpe and Sortino equal those of empyrical: its returns are ours over a fixed capital, its year has 365 days."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from history.sample import LATER, B, Past, record, values


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.filterwarnings("ignore")  # of pandas and its friends
def test_sharpe_and_sortino_equal_empyricals(tmp_path: Path, seed: int) -> None:
    empyrical = pytest.importorskip("empyrical")
    numpy = pytest.importorskip("numpy")
    chance = random.Random(seed)
    start = datetime(2026, 8, 1, 12, tzinfo=UTC)
    count = (LATER.date() - start.date()).days + 1
    daily = [Decimal(chance.randrange(-4000, 5000)) / 100 if chance.random() < 0.6 else None for _ in range(count)]
    daily[0] = Decimal(1)
    trades = [
        (B, record((start + timedelta(days=day)).isoformat(), "sell", 100, 1, pnl=str(pnl)))
        for day, pnl in enumerate(daily)
        if pnl is not None
    ]
    returns = numpy.array([float(pnl or 0) / 1e6 for pnl in daily])

    found = values(Past.of(tmp_path, trades).analyse(zone="UTC", metrics=("sharpe", "sortino")))

    assert float(found["sharpe"] or 0) == pytest.approx(empyrical.sharpe_ratio(returns, annualization=365), rel=1e-9)
    assert float(found["sortino"] or 0) == pytest.approx(empyrical.sortino_ratio(returns, annualization=365), rel=1e-9)
