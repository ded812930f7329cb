"""A process that is killed at any step between approval and record sends once at most, and its order is found again."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.children import Nursery, nursery
from support.gateway import RecordingGateway, running
from support.tally import tell

KILLED = -9
RANDOM_KILLS = 40


@pytest.fixture(scope="module")
def gateway() -> Iterator[RecordingGateway]:
    with running() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("said")) as started:
        yield started


@dataclass
class Life:
    """One order's life: a process that dies while sending it, two that come after. Amounts differ between lives."""

    gateway: RecordingGateway
    children: Nursery
    home: Path
    ledger: str = ""
    number: int = 0

    def job(self) -> dict[str, Any]:
        return {
            "url": self.gateway.url,
            "home": str(self.home / f"{self.number}"),
            "instance": f"life{self.number}",
            "ledger": self.ledger,
            "tool": "buy_limit",
            "arguments": self.order(self.number),
        }

    @staticmethod
    def order(number: int) -> dict[str, str]:
        return {"exchange": "binance", "pair": "USDT-BTC", "amount": f"0.000{100_000 + number}", "price": "45000.10"}

    def begin(self, hold: str | None = None) -> None:
        self.number += 1
        self.gateway.reset(hold)

    def after(self, ticket: str) -> dict[str, Any]:
        """Start over twice, and check all that must be true whatever happened before; return what the second said."""
        job = {**self.job(), "ticket": ticket}
        first = self.children.run("restart", **job)
        probe = {"arguments": {**self.order(self.number), "amount": "0.0001"}}
        second = self.children.run("restart", **job, probe=probe)
        where = f"life {self.number}: {first} {second}, gateway took {self.gateway.taken}"
        assert len(self.gateway.posts) <= 1, where
        assert first["state"] == second["state"], where
        assert second["state"] not in {"approved", "sending"}, where
        if self.gateway.taken:
            # It rests at the gateway as the only one of its look, so it is found.
            assert second["state"] == "accepted", where
            assert second["order_id"], where
        else:
            assert second["state"] in {"pending", "void", "unknown"}, where
        assert first["verify"] == second["verify"] == [], where
        assert first["spooled"] == [], where
        if second["state"] == "pending":
            self._still_sends_once(job)
        else:
            assert first["again"] == second["again"] == {"error": "ticket_closed"}, where
        locked = {"error": "pair_locked"} if second["state"] == "unknown" else None
        assert "result" in second["other side"], where
        assert second["same side"] == locked if locked else "result" in second["same side"], where
        return second

    def _still_sends_once(self, job: dict[str, Any]) -> None:
        third = self.children.run("restart", **job, approve_pending=True)
        fourth = self.children.run("restart", **job)
        assert third["again"] == {"result": "accepted"}
        assert fourth["again"] == {"error": "ticket_closed"}
        assert len(self.gateway.posts) == len(self.gateway.taken) == 1


def kill_at_every_step(life: Life, wanted: Callable[[str], bool], **job: Any) -> tuple[int, set[str]]:  # noqa: ANN401 - JSON
    """Let an order live once unharmed, then kill others at each wanted step; return how many, and their states."""
    life.begin()
    whole = life.children.run("crash", **life.job(), die_at=0, **job)
    states: set[str] = set()
    points = [at for at, name in enumerate(whole["steps"], 1) if wanted(name)]
    for at in points:
        life.begin()
        child = life.children.start("crash", **life.job(), die_at=at, **job)
        assert child.wait() == KILLED, child.said()
        states.add(life.after(child.said()["ticket"])["state"])
    return len(points), states


@pytest.mark.slow
def test_a_kill_at_any_step_on_sqlite(gateway: RecordingGateway, children: Nursery, tmp_path: Path) -> None:
    life = Life(gateway, children, tmp_path)
    points, states = kill_at_every_step(life, lambda _: True)
    tell(f"{points} kill points of a buy_limit on SQLite")
    assert points > 40
    assert states == {"pending", "void", "unknown", "accepted"}


@pytest.mark.slow
@pytest.mark.postgres
def test_a_kill_at_any_turning_point_on_postgresql(
    gateway: RecordingGateway, children: Nursery, tmp_path: Path, new_database: str
) -> None:
    life = Life(gateway, children, tmp_path, ledger=new_database)
    points, states = kill_at_every_step(life, lambda name: "commit" in name or "/trade/" in name or "Update" in name)
    tell(f"{points} kill points of a buy_limit on PostgreSQL")
    assert states == {"pending", "void", "unknown", "accepted"}


@pytest.mark.slow
@pytest.mark.parametrize(("hold", "ends"), [("request", "unknown"), ("answer", "accepted"), ("half", "accepted")])
def test_a_kill_while_gunbot_has_the_order(
    gateway: RecordingGateway, children: Nursery, tmp_path: Path, hold: str, ends: str
) -> None:
    life = Life(gateway, children, tmp_path, number=700)
    life.begin(hold)
    child = children.start("crash", **life.job(), die_at=0)
    assert gateway.held.wait(30)
    child.kill()
    assert child.wait() == KILLED
    gateway.release()
    assert life.after(child.said()["ticket"])["state"] == ends
    assert len(gateway.posts) == 1


@pytest.mark.slow
def test_a_kill_at_random_instants(gateway: RecordingGateway, children: Nursery, tmp_path: Path) -> None:
    life = Life(gateway, children, tmp_path, number=720)
    chance = random.Random(1)
    for _ in range(RANDOM_KILLS):
        life.begin()
        child = children.start("crash", **life.job(), die_at=0)
        while "ticket" not in child.said():
            time.sleep(0.001)
        ticket = child.said()["ticket"]
        time.sleep(chance.random() * 0.15)
        child.kill()
        child.wait()
        life.after(ticket)


@pytest.mark.slow
def test_a_disk_that_fills_after_the_order_is_sent_and_a_kill_at_any_step_from_then_on(
    gateway: RecordingGateway, children: Nursery, tmp_path: Path
) -> None:
    life = Life(gateway, children, tmp_path, number=800)
    life.begin()
    whole = children.run("crash", **life.job(), die_at=0, disk_fills="/trade/buy")
    assert whole["result"] == "accepted"
    assert whole["steps"].count("before begin") > 4
    assert life.after(whole["ticket"])["state"] == "accepted"
    sent = whole["steps"].index("after POST /trade/buy")
    for at in range(sent + 1, len(whole["steps"]) + 1):
        life.begin()
        child = children.start("crash", **life.job(), die_at=at, disk_fills="/trade/buy")
        assert child.wait() == KILLED, child.said()
        assert life.after(child.said()["ticket"])["state"] == "accepted"


@pytest.mark.slow
def test_a_disk_that_fills_before_the_claim_lets_nothing_be_sent(
    gateway: RecordingGateway, children: Nursery, tmp_path: Path
) -> None:
    life = Life(gateway, children, tmp_path, number=850)
    life.begin()
    whole = children.run("crash", **life.job(), die_at=0, disk_fills="/orders/page")
    assert whole["error"] == "ledger_unavailable"
    assert gateway.posts == []
    assert life.after(whole["ticket"])["state"] == "void"


@pytest.mark.slow
def test_two_processes_that_approve_at_the_same_instant_send_once(
    gateway: RecordingGateway, children: Nursery, tmp_path: Path
) -> None:
    life = Life(gateway, children, tmp_path, number=900)
    for _ in range(10):
        life.begin()
        ticket = children.run("propose", **life.job())["ticket"]
        go = life.home / f"go-{life.number}"
        both = [children.start("approve", **life.job(), ticket=ticket, go=str(go)) for _ in range(2)]
        while not all(child.said() for child in both):
            time.sleep(0.001)
        go.touch()
        assert [child.wait() for child in both] == [0, 0]
        said = sorted((child.said() for child in both), key=str)
        assert said == [{"error": "ticket_closed"}, {"result": "accepted"}]
        assert len(gateway.posts) == 1
