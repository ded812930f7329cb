"""`gunbot-mcp doctor`: what is set up, what works, what is missing, and how a human would be asked."""

from collections.abc import Iterator
from dataclasses import dataclass

import anyio
import click

from gunbot_mcp.config import Mode, Settings, load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.guard.halt import halted
from gunbot_mcp.guard.pin import has_pin
from gunbot_mcp.runtime import Runtime, state_folder
from gunbot_mcp.server.clients import recall
from gunbot_mcp.server.tools import tools


@dataclass(frozen=True, slots=True)
class Finding:
    """`well`: True good, None worth knowing, False broken."""

    well: bool | None
    what: str
    detail: str


@click.command()
@click.option("--instance", help="The instance to look at, where the config has several.")
def doctor(instance: str | None) -> int:
    """Check the config, the gateway, the tools, the ledger and the ways to ask a human."""
    settings = load(instance=instance)
    broken = 0
    for finding in [*_config(settings), *anyio.run(_running, settings), *_channels(settings)]:
        mark, colour = {True: ("ok", "green"), None: ("note", "yellow"), False: ("FAIL", "red")}[finding.well]
        click.echo(f"{click.style(f'{mark:>4}', fg=colour)}  {finding.what}: {finding.detail}")
        broken += finding.well is False
    return 1 if broken else 0


def _config(settings: Settings) -> Iterator[Finding]:
    served = settings.served
    kind = f"LIVE at {served.url}" if served.live else "PAPER, embedded"
    yield Finding(True, "instance", f"{settings.name} ({kind}), mode {settings.effective_mode.value}")
    folder = state_folder(settings)
    yield Finding(True, "state folder", str(folder))
    if served.insecure_skip_verify:
        yield Finding(None, "TLS", "certificate verification is OFF: anyone in between can read the token")
    if served.url.startswith("http://") and served.allow_insecure_http:
        yield Finding(None, "TLS", "plain http is allowed: the network can read the token")
    limits = ", ".join(f"{amount:f} {asset}" for asset, amount in list(served.limits.max_order.items())[:3])
    yield Finding(True, "limits", f"per order {limits} …; price band {served.limits.price_band_percent:f} %")
    reason = halted(folder)
    if reason is not None:
        yield Finding(None, "halt", f"trading is halted ({reason}); gunbot-mcp resume ends it")


async def _running(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    async with Runtime(settings) as runtime:
        try:
            status = await runtime.gunbot.status()
            found.append(Finding(True, "gateway", f"answers: {status.get('message', 'no message')}"))
        except GunbotMcpError as exc:
            found.append(Finding(False, "gateway", str(exc)))
        answer = await runtime.dispatcher.call("list_exchanges", {}, Caller(name="gunbot-mcp doctor"))
        listed = len(tools(settings.effective_mode))
        found.append(Finding(not getattr(answer, "is_error", True), "tools", f"{listed} listed, and they answer"))
        try:
            problems = await (await runtime.desk()).ledger.verify()
            found.append(Finding(not problems, "ledger", "; ".join(problems) or "sound"))
        except GunbotMcpError as exc:
            found.append(Finding(False, "ledger", str(exc)))
    return found


def _channels(settings: Settings) -> Iterator[Finding]:
    if settings.effective_mode is Mode.READ_ONLY:
        yield Finding(None, "approval", "not needed: the server is read-only")
        return
    pin = has_pin(state_folder(settings))
    if not pin and settings.served.live:
        yield Finding(None, "PIN", "none is set: the page and the terminal cannot approve; run gunbot-mcp pin")
    elsewhere = "the approval page and gunbot-mcp approve" if settings.approval.page else "gunbot-mcp approve"
    clients = recall(settings)
    if not clients:
        yield Finding(None, "approval", f"no client has connected yet; {elsewhere} always work")
    for name, facts in clients.items():
        forms = bool(facts.get("shows_forms")) and settings.approval.elicitation
        card = bool(facts.get("shows_card"))
        offers = [word for word, has in (("forms", facts.get("shows_forms")), ("ticket cards", card)) if has]
        used = "its form first, then " if forms else ("its ticket card, then " if card else "")
        yield Finding(
            True,
            f"client {name}",
            f"offers {' and '.join(offers) or 'neither forms nor cards'} (protocol {facts.get('protocol')}); "
            f"a human is asked in {used}{elsewhere}",
        )
