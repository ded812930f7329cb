"""Gunbot's clock: never earlier than it is, asked at most once a minute, and unknown rather than guessed."""

import pytest

from gunbot_mcp.errors import GatewayTimeout
from gunbot_mcp.gunbot.server_clock import CLOSE_SECONDS, ServerClock, elapsed_seconds

pytestmark = pytest.mark.anyio


class Machine:
    """Our seconds, and a Gunbot whose clock is `ahead` of them; each question takes `there` and `back` seconds."""

    def __init__(self, *, there: float = 0.0, back: float = 0.0) -> None:
        self.seconds = 100.0
        self.asked = 0
        self.fails = False
        self.there = there
        self.back = back

    @property
    def truth(self) -> int:
        return 1_900_000_000_000 + int(self.seconds * 1000)

    async def ask(self) -> int:
        self.asked += 1
        self.seconds += self.there
        said = self.truth
        self.seconds += self.back
        if self.fails:
            raise GatewayTimeout("slow")
        return said

    def clock(self) -> ServerClock:
        return ServerClock(self.ask, lambda: self.seconds)


@pytest.mark.parametrize(("there", "back"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.3), (0.2, 0.1)])
async def test_the_bounds_hold_wherever_the_time_was_spent(there: float, back: float) -> None:
    machine = Machine(there=there, back=back)
    clock = machine.clock()
    await clock.read()
    for later in (0.0, 1.5, 50.0):
        machine.seconds += later
        latest = clock.latest()
        assert latest is not None
        assert machine.truth < latest <= machine.truth + (there + back) * 1000 + 3
        assert clock.seconds_until(latest) <= there + back + 0.003
        assert clock.seconds_until(machine.truth - 1000) == 0


async def test_it_is_asked_once_a_minute_and_not_known_after_that() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.latest() is None
    await clock.read()
    machine.seconds += 59
    await clock.read()
    assert machine.asked == 1
    machine.seconds += 2
    assert clock.latest() is None
    assert clock.seconds_until(machine.truth + 5000) == 0
    await clock.read()
    assert machine.asked == 2


async def test_a_reading_that_took_long_serves_until_a_closer_one_is_there() -> None:
    machine = Machine(there=2.0, back=1.0)
    clock = machine.clock()
    await clock.read()
    await clock.read()
    assert machine.asked == 1, "only an order needs it closely"
    for there, width in ((2.9, 2.9), (4.0, 2.9), (0.2, 0.2), (0.05, 0.2)):
        machine.there, machine.back = there, 0.0
        await clock.read(closely=True)
        latest = clock.latest()
        assert latest is not None
        assert machine.truth < latest <= machine.truth + width * 1000 + 3
    assert machine.asked == 4
    machine.there = 9.0
    await clock.read(closely=True)
    assert machine.asked == 4, "what is close enough is not asked again"


async def test_a_closer_reading_that_fails_leaves_the_one_that_is_there() -> None:
    machine = Machine(there=2 * CLOSE_SECONDS)
    clock = machine.clock()
    await clock.read(closely=True)
    machine.fails = True
    with pytest.raises(GatewayTimeout):
        await clock.read(closely=True)
    latest = clock.latest()
    assert latest is not None
    assert latest > machine.truth


async def test_where_it_does_not_tell_the_time_none_is_made_up() -> None:
    machine = Machine()
    machine.fails = True
    clock = machine.clock()
    with pytest.raises(GatewayTimeout):
        await clock.read()
    assert clock.latest() is None


def test_seconds_go_on() -> None:
    assert 0 < elapsed_seconds() <= elapsed_seconds()
