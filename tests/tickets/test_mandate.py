"""What a mandate covers."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.tickets.mandate import Mandate, covers, mandate_of, not_for, sealed

ORDER: dict[str, Any] = {
    "live": False,
    "url": "",
    "exchange": "binance",
    "pair": "USDT-BTC",
    "asset": "USDT",
    "notional": Decimal(50),
}
A, B = "https://a.example:3000", "https://b.example:3000"


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


@pytest.mark.parametrize(
    ("made", "served", "why"),
    [
        ((True, A), (True, A), None),
        ((True, A), (True, B), f"for the Gunbot at {A}"),
        ((True, A), (False, ""), f"for the Gunbot at {A}"),
        ((False, ""), (True, A), "made on paper, and this instance is live"),
        ((True, None), (True, A), "release 0.1 did not write down"),
        ((None, A), (True, A), "release 0.1 did not write down"),
        ((None, None), (True, A), "release 0.1 did not write down"),
        ((None, None), (False, ""), "release 0.1 did not write down"),
    ],
)
def test_a_mandate_counts_only_for_the_gunbot_that_it_was_made_for(
    made: tuple[bool | None, str | None],
    served: tuple[bool, str],
    why: str | None,
    clock: ManualClock,
    make_mandate: Callable[..., Mandate],
) -> None:
    mandate = make_mandate(live=made[0], url=made[1])
    live, url = served
    order: dict[str, Any] = {**ORDER, "live": live, "url": url}
    assert covers(mandate, now=clock.now(), **order) is (why is None)
    told = not_for(mandate, live=live, url=url)
    assert told == why if why is None else why in str(told)
    # Its hash covers both, so that nobody makes another of it unseen.
    assert mandate_of(sealed(mandate).content).is_for(live=live, url=url) is (why is None)
    assert sealed(mandate).digest != sealed(make_mandate(live=True, url="https://c.example")).digest
