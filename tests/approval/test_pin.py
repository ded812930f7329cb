"""The PIN: kept safely, and tried five times at most."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from gunbot_mcp.approval.pin import PinGate, WrongPin, check_pin, has_pin, set_pin
from gunbot_mcp.clock import ManualClock
from gunbot_mcp.errors import ConfigInvalid, InvalidArguments
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import PAGE

PIN = "1234"


def test_a_pin_is_right_or_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert not has_pin(folder)
    set_pin(folder, "correct horse")
    assert has_pin(folder)
    assert check_pin(folder, "correct horse")
    for wrong in ("", "Correct horse", "correct horse ", "x" * 1000, "\ud800"):
        assert not check_pin(folder, wrong)
    set_pin(folder, "caf\u00e9")
    assert check_pin(folder, "cafe\u0301")
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


@pytest.mark.parametrize("pin", ["", "123", "x" * 65, "12\n34", "12\x0034", "12\x7f34", "123\ud800"])
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
        await PinGate(ledger, tmp_path, clock).verify("98765", actor=PAGE, ticket="t1")
    assert raised.value.code == "unauthorized"
    assert "98765" not in f"{raised.value} {await ledger.events()}"


@pytest.mark.anyio
async def test_after_five_wrong_pins_the_right_one_is_refused_too(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    gate = PinGate(ledger, tmp_path, clock)
    found: list[str] = []
    for _ in range(5):
        found.append(await attempt(gate, "0000"))
        clock.advance(timedelta(minutes=1))
    assert found == [
        "the PIN is wrong: 4 more tries within 15 minutes",
        "the PIN is wrong: 3 more tries within 15 minutes",
        "the PIN is wrong: 2 more tries within 15 minutes",
        "the PIN is wrong: 1 more try within 15 minutes",
        "the PIN is wrong: wait up to 15 minutes, then try again",
    ]
    assert await attempt(gate, PIN) == "too many wrong PINs: wait 10 minutes, then try again"
    again = PinGate(ledger, tmp_path, clock)
    assert await attempt(again, PIN) == "too many wrong PINs: wait 10 minutes, then try again"
    assert await ledger.wrong_pins(clock.now() - timedelta(minutes=15)) == 5
    clock.advance(timedelta(minutes=9, seconds=30))
    assert await attempt(again, PIN) == "too many wrong PINs: wait 1 minute, then try again"
    clock.advance(timedelta(seconds=31))
    assert await attempt(again, PIN) == "right"
    assert await ledger.verify() == []


@pytest.mark.anyio
async def test_right_pins_do_not_count_and_do_not_clear_the_wrong_ones(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    gate = PinGate(ledger, tmp_path, clock)
    for _ in range(4):
        await attempt(gate, "0000")
    for _ in range(6):
        assert await attempt(gate, PIN) == "right"
    assert (await attempt(gate, "0000")).startswith("the PIN is wrong")
    assert (await attempt(gate, PIN)).startswith("too many")


@pytest.mark.anyio
async def test_guesses_at_the_same_time_get_five_looks_together(
    ledger: Ledger, ledger_url: str, clock: ManualClock, tmp_path: Path
) -> None:
    found: list[str] = []
    async with await Ledger.open(ledger_url, clock=clock) as other:

        async def guess(number: int) -> None:
            gate = PinGate(other if number % 2 else ledger, tmp_path, clock)
            found.append((await attempt(gate, f"guess {number}")).partition(":")[0])

        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(guess, number)
    assert (found.count("the PIN is wrong"), found.count("too many wrong PINs")) == (5, 25)


@pytest.mark.anyio
async def test_a_clock_that_was_set_back_does_not_open_the_gate(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    gate = PinGate(ledger, tmp_path, clock)
    for _ in range(5):
        await attempt(gate, "0000")
    clock.set_wall(clock.now() - timedelta(days=1))
    assert (await attempt(gate, PIN)).startswith("too many")


@pytest.mark.anyio
async def test_without_a_sound_pin_file_no_try_is_recorded_and_none_is_right(
    ledger: Ledger, clock: ManualClock, tmp_path: Path
) -> None:
    gate = PinGate(ledger, tmp_path, clock)
    (tmp_path / "pin.json").write_text("{", encoding="ascii")
    with pytest.raises(ConfigInvalid, match="damaged"):
        await gate.verify(PIN, actor=PAGE, ticket=None)
    (tmp_path / "pin.json").unlink()
    with pytest.raises(ConfigInvalid, match="no PIN is set"):
        await gate.verify(PIN, actor=PAGE, ticket=None)
    assert await ledger.events() == []
