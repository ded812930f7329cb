"""What an order may cost in requests, rounds and commits: counts, which no slow machine changes."""

from pathlib import Path

import pytest
from benchmarks.counting import Channel, Counts, Era, Tool, count_order

from gunbot_mcp.endpoints import BY_NAME

pytestmark = pytest.mark.anyio
CHANNELS = pytest.mark.parametrize("channel", ["auto", "mandate", "form"])
ROUNDS: dict[Channel, int] = {"auto": 3, "mandate": 4, "form": 4}
"""One look before the ticket, unless it is sent at once; all that a baseline needs; the order; a look for it."""
COMMITS: dict[Channel, int] = {"auto": 3, "mandate": 4, "form": 4}
"""The ticket; the approval with the claim, unless it is sent at once; the outcome; what the look found."""


def _in_seven(counts: Counts) -> None:
    # Gunbot's clock is asked once a minute, and once more where that took long, as on a busy machine.
    others = [path for path in counts.paths if not path.endswith("/time")]
    assert len(others) <= 7, counts.paths
    assert counts.requests - len(others) <= 1, counts.paths


@pytest.mark.slow
@CHANNELS
@pytest.mark.parametrize(("tool", "era"), [("buy_limit", "legacy"), ("buy_market", "legacy"), ("buy_limit", "auto")])
async def test_an_order_is_sent_once_in_seven_requests_and_few_rounds_and_commits(
    tmp_path: Path, channel: Channel, tool: Tool, era: Era
) -> None:
    counts = await count_order(tmp_path, channel, tool=tool, era=era)

    assert [path for path in counts.paths if "/trade/" in path] == [f"/api/v1{BY_NAME[tool].path}"]
    _in_seven(counts)
    assert counts.rounds <= ROUNDS[channel], counts.paths
    assert counts.commits <= COMMITS[channel]


@CHANNELS
async def test_an_order_that_gunbot_shows_late_is_looked_for_once_before_the_answer(
    tmp_path: Path, channel: Channel
) -> None:
    counts = await count_order(tmp_path, channel, late=True)

    _in_seven(counts)
    assert counts.rounds <= ROUNDS[channel], counts.paths
