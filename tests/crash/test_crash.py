"""A process that is killed at any step between approval and record sends once at most, and its order is found again."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from crash.children import Nursery, nursery
from support.live import TOKEN, LiveGunbot, serving

Hold = Literal["request", "answer", "half"] | None
Tell = Callable[[str], None]
KILLED = -9
RANDOM_KILLS = 40
STATES = {"pending", "unknown", "accepted"}
"""Approval and claim are one transaction: no kill leaves an approval that nobody acts on."""
KINDS: dict[str, dict[str, Any]] = {
    "a buy_limit by a mandate": {"mandate": True},
    "a cancel_order": {"tool": "cancel_order"},
    "a buy_oco": {"tool": "buy_oco", "extra": {"stop_price": "55000", "limit_price": "55100"}},
}


@pytest.fixture
def gateway() -> Iterator[LiveGunbot]:
    with serving(LiveGunbot()) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("said")) as started:
        yield started


@dataclass
class Life:
    """One order's life: a process that dies while sending it, two that come after. Amounts differ between lives.

    Of `extra` are the arguments that a `buy_limit` does not have. With `mandate`, that approves and not a human.
    """

    gateway: LiveGunbot
    children: Nursery
    home: Path
    ledger: str = ""
    number: int = 0
    tool: str = "buy_limit"
    extra: dict[str, str] = field(default_factory=dict[str, str])
    mandate: bool = False
    _cancelled: str = ""

    def job(self) -> dict[str, Any]:
        order = self.order(self.number)
        if self.tool == "cancel_order":
            del order["amount"]
            order |= {"order_id": self._cancelled, "order_type": "limit"}
        job: dict[str, Any] = {
            "url": self.gateway.url,
            "home": str(self.home / f"{self.number}"),
            "instance": f"life{self.number}",
            "ledger": self.ledger,
            "settings": {"token": TOKEN, "cancel": "ask", "mode": "auto" if self.mandate else "approve"},
            "tool": self.tool,
            "arguments": order | self.extra,
        }
        return job | {"mandate": f"mandate{self.number}"} if self.mandate else job

    @staticmethod
    def order(number: int) -> dict[str, str]:
        return {"exchange": "binance", "pair": "USDT-BTC", "amount": f"0.000{100_000 + number}", "price": "45000.10"}

    def begin(self, hold: Hold = None) -> None:
        self.number += 1
        if self.tool == "cancel_order":
            order = self.order(self.number)
            amount, price = float(order["amount"]), float(order["price"])
            self.gateway.place("/trade/buy", exch=order["exchange"], pair=order["pair"], amt=amount, price=price)
            shown = self.gateway.open_orders()
            self._cancelled = next(str(one["id"]) for one in shown if one["amount"] == amount)
        self.gateway.reset(hold)

    def after(self, ticket: str) -> dict[str, Any]:
        """Start over twice, and check all that must be true whatever happened before; return what the second said."""
        job = {**self.job(), "ticket": ticket}
        first = self.children.run("restart", **job)
        probe = {"tool": "buy_limit", "arguments": {**self.order(self.number), "amount": "0.0001"}}
        second = self.children.run("restart", **job, probe=probe)
        where = f"life {self.number}: {first} {second}, gateway took {self.gateway.taken}"
        assert len(self.gateway.trades) <= 1, where
        assert first["state"] == second["state"], where
        assert second["state"] not in {"approved", "sending"}, where
        if self.gateway.taken:
            # It rests at the gateway as the only one of its look, so it is found. That a cancelled order is not listed
            # any more does not say that it did not fill.
            known = {"accepted", "unknown"} if self.tool == "cancel_order" else {"accepted"}
            assert second["state"] in known, where
            assert second["order_id"], where
        else:
            assert second["state"] in {"pending", "void", "unknown"}, where
        assert first["verify"] == second["verify"] == [], where
        assert first["spooled"] == [], where
        if self.mandate:
            # It covers one order: whoever died, that is not taken from it twice, nor sent without being taken.
            assert first["spent"] == second["spent"], where
            assert second["spent"] in ([second["notional"]], *([] if self.gateway.trades else [["0"]])), where
        if second["state"] == "pending":
            self._still_sends_once(job)
        else:
            assert first["again"] == second["again"] == {"error": "ticket_closed"}, where
        locks = second["state"] == "unknown" and self.tool != "cancel_order"
        locked = {"error": "pair_locked"} if locks else None
        assert "result" in second["other side"], where
        assert second["same side"] == locked if locked else "result" in second["same side"], where
        return second

    def _still_sends_once(self, job: dict[str, Any]) -> None:
        third = self.children.run("restart", **job, approve_pending=True)
        fourth = self.children.run("restart", **job)
        assert third["again"] == {"result": "accepted"}
        assert third["spent"] == fourth["spent"] == ([third["notional"]] if self.mandate else [])
        assert fourth["again"] == {"error": "ticket_closed"}
        assert len(self.gateway.trades) == self.gateway.taken == 1


def kill_at_every_step(life: Life, wanted: Callable[[str], bool], **job: Any) -> tuple[int, set[str]]:  # noqa: ANN401 - JSON
    """Let an order live once unharmed, then kill others at each wanted step; return how many, and their states."""
    life.begin()
    whole = life.children.run("crash", **life.job(), die_at=0, **job)
    assert whole["granted"] == life.job().get("mandate")
    assert life.after(whole["ticket"])["state"] == "accepted"
    states: set[str] = set()
    points = [at for at, name in enumerate(whole["steps"], 1) if wanted(name)]
    for at in points:
        life.begin()
        child = life.children.start("crash", **life.job(), die_at=at, **job)
        assert child.wait() == KILLED, child.said()
        states.add(life.after(child.said()["ticket"])["state"])
    return len(points), states


def turning(name: str) -> bool:
    """Where something that lasts happens: before, after, and between its parts."""
    return "commit" in name or "/trade/" in name or "Update" in name


@pytest.mark.slow
def test_a_kill_at_any_step_on_sqlite(gateway: LiveGunbot, children: Nursery, tmp_path: Path, tell: Tell) -> None:
    life = Life(gateway, children, tmp_path)
    points, states = kill_at_every_step(life, lambda _: True)
    tell(f"{points} kill points of a buy_limit on SQLite")
    assert points > 40
    assert states == STATES


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_turning_point_of_other_orders(
    gateway: LiveGunbot, children: Nursery, tmp_path: Path, kind: str, tell: Tell
) -> None:
    life = Life(gateway, children, tmp_path, **KINDS[kind])
    points, states = kill_at_every_step(life, turning)
    tell(f"{points} kill points of {kind} on SQLite")
    assert states == STATES


@pytest.mark.slow
def test_an_inbox_that_is_killed_at_any_turning_point_sends_once_at_most(
    gateway: LiveGunbot, children: Nursery, tmp_path: Path, tell: Tell
) -> None:
    life = Life(gateway, children, tmp_path, number=600)
    points, states = kill_at_every_step(life, turning, inbox=True)
    tell(f"{points} kill points of a buy_limit that a human approves in the inbox")
    assert points > 8
    assert states == STATES


@pytest.mark.slow
@pytest.mark.postgres
def test_a_kill_at_any_turning_point_on_postgresql(
    gateway: LiveGunbot, children: Nursery, tmp_path: Path, new_database: str, tell: Tell
) -> None:
    life = Life(gateway, children, tmp_path, ledger=new_database)
    points, states = kill_at_every_step(life, turning)
    tell(f"{points} kill points of a buy_limit on PostgreSQL")
    assert states == STATES


@pytest.mark.slow
@pytest.mark.parametrize(("hold", "ends"), [("request", "unknown"), ("answer", "accepted"), ("half", "accepted")])
def test_a_kill_while_gunbot_has_the_order(
    gateway: LiveGunbot, children: Nursery, tmp_path: Path, hold: Hold, ends: str
) -> None:
    life = Life(gateway, children, tmp_path, number=700)
    life.begin(hold)
    child = children.start("crash", **life.job(), die_at=0)
    assert gateway.held.wait(60)
    child.kill()
    assert child.wait() == KILLED
    gateway.release()
    assert life.after(child.said()["ticket"])["state"] == ends
    assert len(gateway.trades) == 1


@pytest.mark.slow
def test_a_kill_at_random_instants(gateway: LiveGunbot, children: Nursery, tmp_path: Path) -> None:
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
    gateway: LiveGunbot, children: Nursery, tmp_path: Path
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
    gateway: LiveGunbot, children: Nursery, tmp_path: Path
) -> None:
    life = Life(gateway, children, tmp_path, number=850)
    life.begin()
    whole = children.run("crash", **life.job(), die_at=0, disk_fills="/orders/page")
    assert whole["error"] == "ledger_unavailable"
    assert gateway.trades == []
    # Neither approval nor claim could be stored: a human can still decide.
    assert life.after(whole["ticket"])["state"] == "pending"


@pytest.mark.slow
def test_two_processes_that_approve_at_the_same_instant_send_once(
    gateway: LiveGunbot, children: Nursery, tmp_path: Path
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
        assert len(gateway.trades) == 1
