"""Auto on a live instance: a mandate sends what it covers and no more, and everything else asks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client
from support.calls import BOTH_ERAS, Era, call
from support.mandates import grant, mandate

from gunbot_mcp.config import Settings, load
from gunbot_mcp.errors import TicketClosed
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server
from gunbot_mcp.tickets.channels import TERMINAL, Actor

if TYPE_CHECKING:
    from support.live import LiveGunbot

MakeSettings = Callable[..., Settings]
pytestmark = pytest.mark.anyio


@BOTH_ERAS
async def test_auto_on_a_live_instance_without_a_mandate_asks(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(mode="auto")) as runtime, Client(build_server(runtime), mode=era) as client:
        assert await call(client) == "awaiting_approval"
    assert live_gunbot.trades == []


@BOTH_ERAS
async def test_a_mandate_sends_what_it_covers_until_it_is_spent(
    era: Era, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(mode="auto")) as runtime, Client(build_server(runtime), mode=era) as client:
        await grant(runtime, mandate())
        assert [await call(client, price=price) for price in (50000, 49990, 49980)] == [
            "accepted",
            "accepted",
            "awaiting_approval",
        ]
        tickets = await (await runtime.desk()).list()
        (spent,) = await (await runtime.desk()).ledger.mandates("gunbot")
    assert len(live_gunbot.trades) == 2
    assert [ticket.decided_by and str(ticket.decided_by) for ticket in tickets] == [None, "mandate m1", "mandate m1"]
    assert spent.spent == Decimal("100.08999")


@pytest.mark.parametrize(
    "fields",
    [
        {"exchange": "kraken"},
        {"exchange": "binance#2"},
        {"pairs": ("USDT-ETH",)},
        {"pairs": ()},
        {"pairs": ("USDT-*",)},
        {"asset": "USDC"},
        {"instance": "another"},
        {"max_order": Decimal("50.0499")},
        {"max_total": Decimal("50.0499")},
        {"expires_at": datetime.now(UTC)},
        {"created_at": datetime.now(UTC) + timedelta(hours=1), "expires_at": datetime.now(UTC) + timedelta(hours=2)},
    ],
)
async def test_what_a_mandate_does_not_cover_asks(
    fields: dict[str, Any], live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(mode="auto")) as runtime, Client(build_server(runtime)) as client:
        await grant(runtime, mandate(**fields))
        assert await call(client) == "awaiting_approval"
    assert live_gunbot.trades == []


async def test_a_revoked_mandate_and_a_mandate_outside_auto_cover_nothing(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(mode="auto")) as runtime, Client(build_server(runtime)) as client:
        await grant(runtime, mandate())
        async with (await runtime.desk()).ledger.write() as write:
            assert await write.revoke_mandate("m1", TERMINAL)
        assert await call(client) == "awaiting_approval"
    async with Runtime(live_settings(mode="approve")) as runtime, Client(build_server(runtime)) as client:
        await grant(runtime, mandate(id="m2"))
        assert await call(client, price=49000) == "awaiting_approval"
    assert live_gunbot.trades == []


async def test_orders_that_race_for_a_mandate_never_spend_more_than_it_grants(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    found: list[str] = []
    async with Runtime(live_settings(mode="auto")) as runtime, Client(build_server(runtime)) as client:
        await grant(runtime, mandate())

        async def one(price: float) -> None:
            found.append(await call(client, price=price))

        async with anyio.create_task_group() as tasks:
            for index in range(12):
                tasks.start_soon(one, 50000 - index)
        (spent,) = await (await runtime.desk()).ledger.mandates("gunbot")
    assert sorted(found) == ["accepted"] * 2 + ["awaiting_approval"] * 10
    assert len(live_gunbot.trades) == 2
    assert spent.spent <= spent.max_total


async def test_a_mandate_is_no_way_around_the_limits(live_settings: MakeSettings, live_gunbot: "LiveGunbot") -> None:
    async with Runtime(live_settings(mode="auto")) as runtime, Client(build_server(runtime)) as client:
        await grant(runtime, mandate(max_order=Decimal(10**6), max_total=Decimal(10**6)))
        assert await call(client, amount=0.1) == "limit_exceeded"
    assert live_gunbot.trades == []


GUNBOTS: list[tuple[bool | None, str | None]] = [
    (True, "https://another.example:3000"),
    (True, "http://127.0.0.1:1"),
    (False, ""),
    (True, None),
    (None, None),
]
"""Whom else a mandate for an instance of this name may be for: others, paper, or release 0.1 did not say."""


@BOTH_ERAS
@pytest.mark.parametrize(("live", "url"), GUNBOTS)
async def test_a_mandate_for_another_gunbot_or_for_paper_covers_nothing_here(
    era: Era, *, live: bool | None, url: str | None, live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    async with Runtime(live_settings(mode="auto")) as runtime, Client(build_server(runtime), mode=era) as client:
        async with (await runtime.desk()).ledger.write() as write:
            await write.add_mandate(mandate(live=live, url=url))
        assert await call(client) == "awaiting_approval"
        (ticket,) = await (await runtime.desk()).list()
        with pytest.raises(TicketClosed, match="does not cover"):
            await (await runtime.desk()).approve(ticket.id, by=Actor("mandate", "m1"))
        (untouched,) = await (await runtime.desk()).ledger.mandates("gunbot")
    assert (live_gunbot.trades, untouched.spent) == ([], Decimal(0))


async def test_a_mandate_made_on_paper_sends_nothing_once_the_instance_is_live(
    live_settings: MakeSettings, live_gunbot: "LiveGunbot"
) -> None:
    paper = load(instances={"gunbot": {"mode": "auto"}}, instance="gunbot")
    async with Runtime(paper) as runtime:
        await grant(runtime, mandate(live=False, url=""))
    async with Runtime(live_settings(mode="auto")) as runtime, Client(build_server(runtime)) as client:
        assert await call(client) == "awaiting_approval"
    assert live_gunbot.trades == []
