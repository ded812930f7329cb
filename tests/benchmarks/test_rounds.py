"""What an order may cost in requests, rounds and commits: counts, which no slow machine changes."""

from pathlib import Path

import pytest
from benchmarks.counting import Channel, Era, Tool, count_order

pytestmark = pytest.mark.anyio
CHANNELS = pytest.mark.parametrize("channel", ["auto", "mandate", "form"])
ROUNDS: dict[Channel, int] = {"auto": 4, "mandate": 5, "form": 5}
"""One look before the ticket, unless it is sent at once; open orders, then the history; the order; a look for it."""


@CHANNELS
@pytest.mark.parametrize(("tool", "era"), [("buy_limit", "legacy"), ("buy_market", "legacy"), ("buy_limit", "auto")])
async def test_an_order_asks_gunbot_seven_times_at_most_in_four_rounds_and_five_if_it_waits_for_an_approval(
    tmp_path: Path, channel: Channel, tool: Tool, era: Era
) -> None:
    counts = await count_order(tmp_path, channel, tool=tool, era=era)

    assert counts.rounds <= ROUNDS[channel], counts.paths
    assert counts.requests <= 7, counts.paths


@CHANNELS
async def test_an_order_that_gunbot_shows_late_is_looked_for_once_before_the_answer(
    tmp_path: Path, channel: Channel
) -> None:
    counts = await count_order(tmp_path, channel, late=True)

    assert counts.rounds <= ROUNDS[channel], counts.paths
    assert counts.requests <= 7, counts.paths


@pytest.mark.parametrize(("channel", "most"), [("auto", 3), ("mandate", 4), ("form", 4)])
async def test_an_order_waits_for_the_disk_three_times_and_once_more_for_an_approval(
    tmp_path: Path, channel: Channel, most: int
) -> None:
    counts = await count_order(tmp_path, channel)

    assert counts.commits <= most


@CHANNELS
async def test_an_order_is_sent_once(tmp_path: Path, channel: Channel) -> None:
    counts = await count_order(tmp_path, channel)

    assert [path for path in counts.paths if "/trade/" in path] == ["/api/v1/trade/buy"]
