"""Orders that dead processes left open are closed, and those of living ones are left alone."""

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gunbot_mcp.clock import ManualClock
from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.guard.recovery import Owner, is_dead, recover
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.tickets.channels import SENDER, TERMINAL
from gunbot_mcp.tickets.reasons import reason_text
from gunbot_mcp.tickets.ticket import State, Ticket

MakeTicket = Callable[..., Ticket]

LEASE = timedelta(minutes=5)

_CHILD = """
import sys
from pathlib import Path
from gunbot_mcp.guard.recovery import Owner

owner = Owner.start(Path(sys.argv[1]))
print(owner.id, flush=True)
sys.stdin.read()
"""


@contextmanager
def child_owner(folder: Path) -> Generator[tuple[str, "subprocess.Popen[str]"]]:
    """Another process that is an owner, until it is killed."""
    command = [sys.executable, "-c", _CHILD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().strip(), child
        finally:
            child.kill()


async def put(ledger: Ledger, ticket: Ticket, owner: str, clock: ManualClock, *, send: bool) -> None:
    async with ledger.write() as write:
        await write.add(ticket, TERMINAL)
        await write.move(ticket.id, State.PENDING, State.APPROVED, actor=TERMINAL, owner=owner)
        if send:
            await write.move(ticket.id, State.APPROVED, State.SENDING, actor=SENDER, owner=owner, sent_at=clock.now())


async def states(ledger: Ledger) -> dict[str, State]:
    return {ticket.id: ticket.state for ticket in await ledger.list(None)}


def test_a_living_owner_is_not_dead_and_a_killed_one_is(tmp_path: Path) -> None:
    with child_owner(tmp_path) as (owner_id, child):
        assert not is_dead(owner_id, tmp_path)
        child.kill()
        child.wait()
        assert is_dead(owner_id, tmp_path)
        assert is_dead(owner_id, tmp_path)


def test_an_owner_in_this_process_is_alive_until_it_stops(tmp_path: Path) -> None:
    owner = Owner.start(tmp_path)
    assert not is_dead(owner.id, tmp_path)
    owner.stop()
    owner.stop()
    assert is_dead(owner.id, tmp_path)


@pytest.mark.parametrize("owner_id", ["other-host:1:0123456789abcdef", "", "../../etc/passwd", "a:1:../../0123456789a"])
def test_an_owner_that_is_not_known_here_is_not_called_dead(owner_id: str, tmp_path: Path) -> None:
    assert not is_dead(owner_id, tmp_path)


def test_an_owner_that_cannot_hold_its_lock_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("", encoding="ascii")
    with pytest.raises(LedgerUnavailable, match="cannot make"):
        Owner.start(tmp_path)


def test_an_owner_whose_new_lock_file_is_swept_away_makes_it_again(tmp_path: Path) -> None:
    looks: list[Path] = []

    def swept_once(path: Path) -> None:
        looks.append(path)
        if len(looks) == 1:
            path.unlink()

    owner = Owner.start(tmp_path, locked=swept_once)
    assert len(looks) == 2
    assert looks[0].exists()
    owner.stop()
    assert is_dead(owner.id, tmp_path)


@pytest.mark.anyio
async def test_what_a_killed_process_was_sending_becomes_unknown(
    ledger_url: str, tmp_path: Path, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    me = Owner.start(tmp_path)
    idle = Owner.start(tmp_path)
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        with child_owner(tmp_path) as (owner_id, child):
            await put(ledger, make_ticket("sending"), owner_id, clock, send=True)
            await put(ledger, make_ticket("approved"), owner_id, clock, send=False)
            await put(ledger, make_ticket("live", instance="live"), owner_id, clock, send=True)
            await put(ledger, make_ticket("mine"), me.id, clock, send=True)
            assert await recover(ledger, tmp_path, clock, lease=LEASE, instance="paper") == []
            child.kill()
            child.wait()
            changed = await recover(ledger, tmp_path, clock, lease=LEASE, instance="paper")
        assert {ticket.id: ticket.state for ticket in changed} == {
            "sending": State.UNKNOWN,
            "approved": State.VOID,
        }
        reasons = {ticket.id: reason_text(ticket) or "" for ticket in changed}
        assert "Gunbot may have the order" in reasons["sending"]
        assert "nothing was sent" in reasons["approved"]
        assert await recover(ledger, tmp_path, clock, lease=LEASE, instance="paper") == []
        assert (await states(ledger))["live"] is State.SENDING
        # The proof of its death is kept for the other instance's recovery, and then cleaned up.
        assert is_dead(owner_id, tmp_path)
        assert [ticket.id for ticket in await recover(ledger, tmp_path, clock, lease=LEASE, instance="live")] == [
            "live"
        ]
        assert len(list((tmp_path / "run").iterdir())) == 2
        assert not is_dead(owner_id, tmp_path)
        assert (await states(ledger))["mine"] is State.SENDING
        assert await ledger.verify() == []
    for owner in (me, idle):
        owner.stop()
        assert is_dead(owner.id, tmp_path)


@pytest.mark.anyio
async def test_what_nobody_speaks_for_is_closed_after_the_lease(
    ledger_url: str, tmp_path: Path, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    elsewhere = "other-host:1:0123456789abcdef"
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        await put(ledger, make_ticket("sending"), elsewhere, clock, send=True)
        clock.advance(timedelta(minutes=1))
        await put(ledger, make_ticket("approved"), elsewhere, clock, send=False)
        clock.advance(LEASE - timedelta(minutes=1))
        assert await recover(ledger, tmp_path, clock, lease=LEASE, instance=None) == []
        clock.advance(timedelta(seconds=1))
        await recover(ledger, tmp_path, clock, lease=LEASE, instance=None)
        assert await states(ledger) == {"sending": State.UNKNOWN, "approved": State.APPROVED}
        clock.advance(timedelta(minutes=1))
        await recover(ledger, tmp_path, clock, lease=LEASE, instance=None)
        assert await states(ledger) == {"sending": State.UNKNOWN, "approved": State.VOID}


@pytest.mark.anyio
async def test_a_clock_that_was_set_back_does_not_keep_a_sending_open_for_ever(
    ledger_url: str, tmp_path: Path, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        await put(ledger, make_ticket(), "other-host:1:0123456789abcdef", clock, send=True)
        clock.set_wall(clock.now() - timedelta(days=1))
        assert len(await recover(ledger, tmp_path, clock, lease=LEASE, instance=None)) == 1


@pytest.mark.anyio
async def test_a_sender_that_lives_after_all_still_records_its_outcome(
    ledger_url: str, tmp_path: Path, clock: ManualClock, make_ticket: MakeTicket
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as ledger:
        for outcome in (State.ACCEPTED, State.REJECTED, State.VOID):
            await put(ledger, make_ticket(f"{outcome}"), "other-host:1:0123456789abcdef", clock, send=True)
        clock.advance(timedelta(hours=1))
        await recover(ledger, tmp_path, clock, lease=LEASE, instance=None)
        async with ledger.write() as write:
            for outcome in (State.ACCEPTED, State.REJECTED, State.VOID):
                assert await write.move(f"{outcome}", State.UNKNOWN, outcome, actor=SENDER)
        assert set((await states(ledger)).values()) == {State.ACCEPTED, State.REJECTED, State.VOID}
        assert await ledger.verify() == []
