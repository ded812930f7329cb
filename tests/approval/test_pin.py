"""The PIN: kept safely, long enough, and guessed some tens of times a day at most."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.pins import old_pin

from gunbot_mcp.approval.pin import PinGate, WrongPin, check_pin, has_pin, may_be_short, set_pin
from gunbot_mcp.clock import ManualClock
from gunbot_mcp.errors import ConfigInvalid, InvalidArguments
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import PAGE

PIN = "123456"


def test_a_pin_is_right_or_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert not has_pin(folder)
    set_pin(folder, "correct horse")
    assert has_pin(folder)
    assert check_pin(folder, "correct horse")
    for wrong in ("", "Correct horse", "correct horse ", "x" * 1000, "\ud800"):
        assert not check_pin(folder, wrong)
    set_pin(folder, "caf\u00e9 au lait")
    assert check_pin(folder, "cafe\u0301 au lait")
    assert not check_pin(folder, "correct horse")


def test_the_file_is_private_and_holds_no_pin(tmp_path: Path) -> None:
    set_pin(tmp_path, PIN)
    set_pin(tmp_path, PIN)
    assert [path.name for path in tmp_path.iterdir()] == ["pin.json"]
    path = tmp_path / "pin.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert PIN not in json.loads(path.read_text(encoding="utf-8"))["key"]


def test_the_same_pin_is_salted_anew(tmp_path: Path) -> None:
    set_pin(tmp_path / "a", PIN)
    set_pin(tmp_path / "b", PIN)
    assert (tmp_path / "a" / "pin.json").read_bytes() != (tmp_path / "b" / "pin.json").read_bytes()


@pytest.mark.parametrize(
    "pin", ["", "12345", "cafe\u0301s", "x" * 65, "123\n456", "123\x00456", "123\x7f456", "123456\ud800"]
)
def test_a_poor_pin_is_not_set(pin: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArguments):
        set_pin(tmp_path, pin)
    assert not has_pin(tmp_path)


def test_a_pin_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("", encoding="ascii")
    with pytest.raises(ConfigInvalid, match="cannot write"):
        set_pin(tmp_path / "state", PIN)
    assert has_pin(tmp_path / "state")
    with pytest.raises(ConfigInvalid, match="cannot read"):
        check_pin(tmp_path / "state", PIN)
    (tmp_path / "pin.json").mkdir()
    with pytest.raises(ConfigInvalid, match="cannot write"):
        set_pin(tmp_path, PIN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pin.json", "state"]


DAMAGE: list[Any] = [
    "",
    "{",
    "[]",
    "null",
    "\ud800",
    {"n": 2, "r": 1, "p": 1},
    {"n": 2**60},
    {"n": "many"},
    {"salt": "!"},
    {"salt": ""},
    {"key": ""},
    {"key": None},
    {"kdf": "none"},
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_makes_every_pin_wrong(damage: Any, tmp_path: Path) -> None:  # noqa: ANN401 - JSON
    set_pin(tmp_path, PIN)
    path = tmp_path / "pin.json"
    text = damage
    if not isinstance(damage, str):
        text = json.dumps({**json.loads(path.read_text(encoding="utf-8")), **damage})
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert has_pin(tmp_path)
    with pytest.raises(ConfigInvalid, match="damaged"):
        check_pin(tmp_path, PIN)


@pytest.fixture
async def ledger(ledger_url: str, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger, with a PIN set beside it."""
    set_pin(tmp_path, PIN)
    async with await Ledger.open(ledger_url, clock=clock) as opened:
        yield opened


async def attempt(gate: PinGate, pin: str) -> str:
    """Try a PIN and return what came of it."""
    try:
        await gate.verify(pin, actor=PAGE, ticket="t1")
    except WrongPin as exc:
        return f"{exc.message}: {exc.hint}"
    return "right"


@pytest.mark.anyio
async def test_a_wrong_pin_is_unauthorized_and_not_repeated(ledger: Ledger, clock: ManualClock, tmp_path: Path) -> None:
    with pytest.raises(WrongPin) as raised:
        await PinGate(ledger, tmp_path, clock, live=True).verify("987654", actor=PAGE, ticket="t1")
    assert raised.value.code == "unauthorized"
    assert "987654" not in f"{raised.value} {await ledger.events()}"


@pytest.mark.anyio
async def test_after_three_wrong_pins_each_further_one_waits_twice_as_long_up_to_an_hour(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    gate = PinGate(ledger, tmp_path, clock, live=True)
    assert [await attempt(gate, "000000") for _ in range(3)] == [
        "the PIN is wrong: 2 more tries before you have to wait",
        "the PIN is wrong: 1 more try before you have to wait",
        "the PIN is wrong: wait 1 minute, then try again",
    ]
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        # The right one is refused, too, and what is refused does not lengthen the wait; so it is in a new process.
        clock.advance(timedelta(seconds=59))
        again = PinGate(ledger, tmp_path, clock, live=True)
        assert (await attempt(again, PIN)).startswith("too many wrong PINs: wait")
        assert await gate.wait() == timedelta(minutes=minutes) - timedelta(seconds=59)
        clock.advance(await gate.wait() - timedelta(seconds=1))
        assert await attempt(again, PIN) == "too many wrong PINs: wait 1 minute, then try again"
        clock.advance(timedelta(seconds=1))
        following = min(2 * minutes, 60)
        told = f"the PIN is wrong: wait {following} minutes, then try again"
        assert await attempt(gate, "000000") == told
    clock.advance(timedelta(hours=1))
    assert await attempt(gate, PIN) == "right"
    assert await ledger.verify() == []


@pytest.mark.slow
@pytest.mark.anyio
async def test_somebody_who_guesses_whenever_he_may_gets_some_tens_of_guesses_a_day(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    gate = PinGate(ledger, tmp_path, clock, live=True)
    begun, looks = clock.now(), list[float]()
    while clock.now() < begun + timedelta(hours=36):
        clock.advance(await gate.wait())
        assert (await attempt(gate, "000000")).startswith("the PIN is wrong")
        looks.append((clock.now() - begun) / timedelta(hours=1))
    busiest = max(sum(first <= look < first + 24 for look in looks) for first in looks)
    assert busiest <= 32
    # Once nobody guesses any more, nothing stays locked for longer than an hour, and after a day nothing counts.
    clock.advance(timedelta(hours=1))
    assert await attempt(gate, PIN) == "right"
    clock.advance(timedelta(hours=24))
    assert await attempt(gate, "000000") == "the PIN is wrong: 2 more tries before you have to wait"


@pytest.mark.anyio
async def test_right_pins_do_not_count_and_do_not_clear_the_wrong_ones(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    gate = PinGate(ledger, tmp_path, clock, live=True)
    for _ in range(2):
        await attempt(gate, "000000")
    for _ in range(6):
        assert await attempt(gate, PIN) == "right"
    assert (await attempt(gate, "000000")).startswith("the PIN is wrong")
    assert (await attempt(gate, PIN)).startswith("too many")


@pytest.mark.anyio
async def test_guesses_at_the_same_time_get_three_looks_together(
    ledger: Ledger, ledger_url: str, clock: ManualClock, tmp_path: Path
) -> None:
    found: list[str] = []
    async with await Ledger.open(ledger_url, clock=clock) as other:

        async def guess(number: int) -> None:
            gate = PinGate(other if number % 2 else ledger, tmp_path, clock, live=True)
            found.append((await attempt(gate, f"guess {number}")).partition(":")[0])

        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(guess, number)
    assert (found.count("the PIN is wrong"), found.count("too many wrong PINs")) == (3, 27)


@pytest.mark.anyio
async def test_a_clock_that_was_set_back_does_not_open_the_gate(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    gate = PinGate(ledger, tmp_path, clock, live=True)
    for _ in range(5):
        await attempt(gate, "000000")
        clock.advance(await gate.wait())
    clock.set_wall(clock.now() - timedelta(days=1))
    assert (await attempt(gate, PIN)).startswith("too many")
    # Nor does it lock the PIN until the clock is there again.
    assert timedelta(minutes=1) < await gate.wait() <= timedelta(hours=1)
    clock.advance(timedelta(hours=1))
    assert await attempt(gate, PIN) == "right"


@pytest.mark.anyio
async def test_a_short_pin_of_release_0_1_counts_on_paper_and_not_on_a_live_instance(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    old_pin(tmp_path, "1234")
    paper, live = (PinGate(ledger, tmp_path, clock, live=kind) for kind in (False, True))
    assert await attempt(paper, "1234") == "right"
    before = len(await ledger.events())
    # Right or wrong, it is refused unread: the refusal must not tell a guesser which one it was.
    refusals = {await attempt(live, pin) for pin in ("1234", "4321", "")}
    (refusal,) = refusals
    assert "fewer than 6 characters does not count on a live instance" in refusal
    assert "set a longer one with gunbot-mcp pin" in refusal
    assert len(await ledger.events()) == before


@pytest.mark.anyio
async def test_a_long_pin_of_release_0_1_counts_everywhere_and_only_its_length_is_in_doubt(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    assert not may_be_short(tmp_path)
    old_pin(tmp_path, "271828")
    assert may_be_short(tmp_path)
    assert await attempt(PinGate(ledger, tmp_path, clock, live=True), "271828") == "right"
    set_pin(tmp_path, "271828")
    assert not may_be_short(tmp_path)
    (tmp_path / "pin.json").unlink()
    assert not may_be_short(tmp_path)


@pytest.mark.anyio
async def test_without_a_sound_pin_file_no_try_is_recorded_and_none_is_right(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    gate = PinGate(ledger, tmp_path, clock, live=True)
    (tmp_path / "pin.json").write_text("{", encoding="ascii")
    with pytest.raises(ConfigInvalid, match="damaged"):
        await gate.verify(PIN, actor=PAGE, ticket=None)
    (tmp_path / "pin.json").unlink()
    with pytest.raises(ConfigInvalid, match="no PIN is set"):
        await gate.verify(PIN, actor=PAGE, ticket=None)
    assert await ledger.events() == []
