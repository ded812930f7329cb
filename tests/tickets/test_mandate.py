"""What a mandate covers."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.tickets.mandate import Mandate, covers

ORDER: dict[str, Any] = {"exchange": "binance", "pair": "USDT-BTC", "asset": "USDT", "notional": Decimal(50)}


def test_an_order_within_every_bound_is_covered(clock: ManualClock, make_mandate: Callable[..., Mandate]) -> None:
    assert covers(make_mandate(), now=clock.now(), **ORDER)
    assert covers(make_mandate(spent=Decimal(50)), now=clock.now(), **ORDER)


@pytest.mark.parametrize(
    "change",
    [
        {"exchange": "kraken"},
        {"pair": "USDT-ETH"},
        {"asset": "BTC"},
        {"notional": Decimal("50.01")},
        {"notional": Decimal(0)},
        {"notional": Decimal(-1)},
        {"notional": Decimal("NaN")},
        {"notional": Decimal("Infinity")},
    ],
)
def test_an_order_outside_any_bound_is_not(
    change: dict[str, Any], clock: ManualClock, make_mandate: Callable[..., Mandate]
) -> None:
    assert not covers(make_mandate(), now=clock.now(), **{**ORDER, **change})


def test_a_mandate_that_is_not_in_force_covers_nothing(
    clock: ManualClock, make_mandate: Callable[..., Mandate]
) -> None:
    now = clock.now()
    assert not covers(make_mandate(revoked_at=now), now=now, **ORDER)
    assert not covers(make_mandate(), now=now + timedelta(hours=1), **ORDER)
    assert not covers(make_mandate(), now=now - timedelta(seconds=1), **ORDER)
    assert not covers(make_mandate(pairs=()), now=now, **ORDER)
    assert not covers(make_mandate(spent=Decimal("50.01")), now=now, **ORDER)
