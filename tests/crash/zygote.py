"""Real child processes by the dozen: one process imports everything, and forks a fresh child for every job.

`python -m crash.zygote` reads jobs from stdin, one JSON object a line, and answers with the child's process id; the
line `{"wait": PID}` answers with its exit status. A child writes its report to the file `said`, as JSON.
"""

import asyncio
import json
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import CursorResult, Executable

from gunbot_mcp.approval.inbox import PORT as _PORT
from gunbot_mcp.approval.inbox import serves
from gunbot_mcp.approval.pin import PinGate, set_pin
from gunbot_mcp.config import Instance, LedgerSettings, Settings
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.files import write_private
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.proposing import Proposal
from gunbot_mcp.ledger.database import Database
from gunbot_mcp.ledger.ledger import Ledger
from gunbot_mcp.ledger.port import Link, Parameters
from gunbot_mcp.runtime import Runtime, Seams, state_folder
from gunbot_mcp.tickets.channels import TERMINAL, Actor
from gunbot_mcp.tickets.mandate import Mandate
from gunbot_mcp.tickets.order import Order
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.web.inbox import Inbox
from gunbot_mcp.web.page import ApprovalPage

Job = dict[str, Any]
MANDATE = Decimal(8)
_PIN = "246 810"
_NUMBERS = frozenset({"amount", "price", "stop_price", "limit_price"})
_LOADED = (Ledger, asyncio.Runner)


def settings_of(job: Job) -> Settings:
    """Return the settings of a live instance, whose Gunbot is the test's gateway."""
    fields = {"url": job["url"], "read_timeout": 60, **job.get("settings", {})}
    instance = Instance.model_validate(fields)
    return Settings(
        home=Path(job["home"]),
        instance=job["instance"],
        instances={job["instance"]: instance},
        ledger=LedgerSettings(url=job.get("ledger", "")),
    )


class Steps:
    """Counts the steps between an approval and its record, and kills this process at one of them."""

    def __init__(self, die_at: int) -> None:
        self.names: list[str] = []
        self.armed = False
        self._die_at = die_at

    def __call__(self, name: str) -> None:
        if not self.armed:
            return
        self.names.append(name)
        if len(self.names) == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def seams(step: Callable[[str], None] | None = None, disk_fills: str | None = None) -> Seams:
    """Return the parts of a runtime that announce every step. After a request to `disk_fills`, no file grows."""
    if step is None:
        return Seams()

    class Stepped(Database):
        async def begin(self, connection: Link) -> Any:  # noqa: ANN401 - passed on
            step("before begin")
            return await super().begin(connection)

        async def run(
            self, connection: Link, statement: Executable, parameters: Parameters = None
        ) -> CursorResult[Any]:
            step(f"before {type(statement).__name__}")
            return await super().run(connection, statement, parameters)

        async def commit(self, connection: Link) -> None:
            step("before commit")
            await super().commit(connection)
            step("after commit")

    def keep(path: Path, text: str) -> None:
        step("before spool")
        try:
            write_private(path, text)
        finally:
            step("after spool")

    return Seams(
        database=lambda url: Stepped(url, 5),
        keep=keep,
        transport=SteppedTransport(step, disk_fills),
    )


class SteppedTransport(httpx2.AsyncHTTPTransport):
    """The network, announced."""

    def __init__(self, step: Callable[[str], None], disk_fills: str | None) -> None:
        super().__init__()
        self._step = step
        self._disk_fills = disk_fills

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v1")
        self._step(f"before {request.method} {path}")
        answer = await super().handle_async_request(request)
        await answer.aread()
        if path == self._disk_fills:
            # The write-ahead log is longer than this already, an outcome's own file is not.
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        self._step(f"after {request.method} {path}")
        return answer


async def _propose(desk: Desk, job: Job) -> Proposal:
    endpoint = BY_NAME[job["tool"]]
    arguments = {name: Decimal(v) if name in _NUMBERS else v for name, v in job["arguments"].items()}
    return await desk.propose(Order.of(endpoint, endpoint.args.model_validate(arguments)), client="model")


async def _grant(desk: Desk, job: Job) -> None:
    """Give the job's mandate, which is enough for one order of its kind and not for two."""
    now, arguments = desk.clock.now(), job["arguments"]
    mandate = Mandate(
        id=job["mandate"],
        instance=job["instance"],
        exchange=arguments["exchange"],
        pairs=(arguments["pair"],),
        asset="USDT",
        max_order=MANDATE,
        max_total=MANDATE,
        live=True,
        url=job["url"],
        created_at=now,
        expires_at=now + timedelta(hours=1),
        created_by=TERMINAL,
    )
    async with desk.ledger.write() as write:
        await write.add_mandate(mandate)


def _approve(desk: Desk, job: Job, ticket: str) -> Awaitable[Ticket]:
    mandate: str | None = job.get("mandate")
    return desk.approve(ticket, by=Actor("mandate", mandate) if mandate else TERMINAL)


async def _in_the_inbox(runtime: Runtime, desk: Desk, job: Job, ticket: str, armed: Callable[[], None]) -> Ticket:
    """Approve as a human does whose browser is at `gunbot-mcp inbox`, with the PIN."""
    settings, folder = runtime.settings, state_folder(runtime.settings)
    page = ApprovalPage(
        desk=desk,
        settings=settings,
        folder=folder,
        pin_gate=PinGate(desk.ledger, folder, desk.clock, live=True),
        port=lambda: _PORT,
        rules=runtime.rules,
    )
    served = [serves(folder, instance=settings.name, live=True, url=job["url"])]
    inbox = Inbox(pages={settings.name: page}, served=served, ledger=desk.ledger, folder=folder, port=lambda: _PORT)
    here = f"http://localhost:{_PORT}"
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=inbox), base_url=here) as browser:
        form = re.search(r'name="token" value="([0-9a-f]{64})"', (await browser.get(f"/tickets/{ticket}")).text)
        assert form is not None
        armed()
        await browser.post(f"/tickets/{ticket}/approve", data={"token": form[1], "pin": _PIN}, headers={"Origin": here})
    return await desk.get(ticket)


async def crash(job: Job) -> dict[str, Any]:
    """Propose an order and approve it, and die on the way at step `die_at` (0: at none).

    With a `mandate` (its id), that mandate is given first, and approves. With `inbox`, a human does in the inbox.
    """
    step = Steps(job["die_at"])
    async with Runtime(settings_of(job), seams=seams(step, job.get("disk_fills"))) as runtime:
        desk = await runtime.desk()
        if "mandate" in job:
            await _grant(desk, job)
        proposal = await _propose(desk, job)
        ticket = proposal.ticket.id
        _say(job, {"ticket": ticket})

        def armed() -> None:
            step.armed = True

        if job.get("inbox"):
            set_pin(state_folder(runtime.settings), _PIN)
            result = await _tried(_in_the_inbox(runtime, desk, job, ticket, armed))
        else:
            armed()
            result = await _tried(_approve(desk, job, ticket))
    return {
        "ticket": ticket,
        "granted": proposal.grant and (proposal.grant.name or str(proposal.grant)),
        "steps": step.names,
        **result,
    }


async def propose(job: Job) -> dict[str, Any]:
    async with Runtime(settings_of(job)) as runtime:
        return {"ticket": (await _propose(await runtime.desk(), job)).ticket.id}


async def approve(job: Job) -> dict[str, Any]:
    """Open the desk, wait until the file `go` is there, approve."""
    async with Runtime(settings_of(job)) as runtime:
        desk = await runtime.desk()
        _say(job, {"ready": True})
        _await_file(Path(job["go"]))
        return await _tried(_approve(desk, job, job["ticket"]))


def _await_file(path: Path) -> None:
    # Nothing else runs in this process, and it must start at once: so it blocks, without the event loop.
    while not path.exists():
        time.sleep(0.0005)


async def restart(job: Job) -> dict[str, Any]:
    """Open the desk as a new process does, and say what it holds and what it then allows."""
    async with Runtime(settings_of(job), seams=seams()) as runtime:
        desk = await runtime.desk()
        ticket = await desk.get(job["ticket"], look=True)
        said: dict[str, Any] = {
            "state": ticket.state.value,
            "order_id": None if ticket.observed is None else ticket.observed.order_ids[0],
            "verify": await desk.ledger.verify(),
            "spooled": [path.name for path in (Path(job["home"]) / "outcomes").glob("*.json")],
        }
        if ticket.state is not State.PENDING or job.get("approve_pending"):
            said["again"] = await _tried(_approve(desk, job, ticket.id))
        said["notional"] = str(ticket.notional)
        said["spent"] = [str(mandate.spent) for mandate in await desk.ledger.mandates(job["instance"])]
        if job.get("probe"):
            said["same side"] = await _tried(_propose(desk, {**job, **job["probe"]}))
            other = {"tool": "sell_limit"}
            said["other side"] = await _tried(_propose(desk, {**job, **job["probe"], **other}))
    return said


async def _tried(work: Awaitable[object]) -> dict[str, Any]:
    try:
        result = await work
    except GunbotMcpError as exc:
        return {"error": exc.code}
    return {"result": str(getattr(result, "state", result))}


def _say(job: Job, said: dict[str, Any]) -> None:
    draft = Path(job["said"] + ".draft")
    draft.write_text(json.dumps(said), encoding="utf-8")
    draft.replace(job["said"])


def _child(job: Job) -> None:
    work = {"crash": crash, "propose": propose, "approve": approve, "restart": restart}[job["do"]]
    try:
        _say(job, asyncio.run(work(job)))
    except BaseException as exc:
        _say(job, {"raised": repr(exc)})
        raise


def main() -> None:
    for line in sys.stdin:
        job: Job = json.loads(line)
        if "wait" in job:
            answer = os.waitstatus_to_exitcode(os.waitpid(job["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                try:
                    _child(job)
                    os._exit(0)
                finally:
                    os._exit(1)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
