"""`gunbot-mcp doctor`: what is set up, what works, what is missing, and how a human would be asked."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import click

from gunbot_mcp.approval.pin import SHORTEST, has_pin, may_be_short
from gunbot_mcp.cli.connection import connection_rows
from gunbot_mcp.config import CONFIG_VARIABLE, Mode, Settings, load
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.domain import money
from gunbot_mcp.errors import GunbotMcpError, clean
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.guard.halt import halted
from gunbot_mcp.limits import EXITS_ARE_WIDER
from gunbot_mcp.runtime import Runtime, state_folder
from gunbot_mcp.server.clients import recall
from gunbot_mcp.server.tools import tools
from gunbot_mcp.tickets.mandate import not_for
from gunbot_mcp.tickets.ways import human_channels, is_open


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
    config = os.environ.get(CONFIG_VARIABLE, "").strip()
    yield Finding(True, "config", config or f"no file ({CONFIG_VARIABLE} names none): defaults and environment")
    folder = state_folder(settings)
    others = stat.S_IMODE(folder.stat().st_mode) & 0o022
    open_to = f"{folder} can be written by others, who could then approve or halt: chmod go-w it"
    yield Finding(not others, "state folder", open_to if others else str(folder))
    if served.insecure_skip_verify:
        yield Finding(None, "TLS", "certificate verification is OFF: anyone in between can read the token")
    if served.url.startswith("http://") and served.allow_insecure_http:
        yield Finding(None, "TLS", "plain http is allowed: the network can read the token")
    entries, exits = (
        ", ".join(f"{money(amount)} {asset}" for asset, amount in list(caps.items())[:3])
        for caps in (served.limits.max_order, served.limits.max_exit)
    )
    yield Finding(True, "limits", f"per order {entries} …; price band {served.limits.price_band_percent:f} %")
    own = "max_exit" in served.limits.model_fields_set
    why = "as the config says" if own else f"{EXITS_ARE_WIDER} times the entries', since limits.max_exit is not set"
    yield Finding(True, "exits", f"per order that leaves a risk {exits} … ({why})")
    reason = halted(folder)
    if reason is not None:
        yield Finding(None, "halt", f"trading is halted ({reason}); gunbot-mcp resume ends it")


async def _running(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    async with Runtime(settings) as runtime:
        try:
            status = await runtime.gunbot.status()
            found.append(Finding(True, "gateway", f"answers: {clean(status.get('message', 'no message'))}"))
        except GunbotMcpError as exc:
            found.append(Finding(False, "gateway", str(exc)))
        found.extend(Finding(*row) for row in await connection_rows(settings.served, runtime.gunbot))
        answer = await runtime.dispatcher.call("list_exchanges", {}, Caller(name="gunbot-mcp doctor"))
        listed = len(tools(settings.effective_mode))
        found.append(Finding(not getattr(answer, "is_error", True), "tools", f"{listed} listed, and they answer"))
        try:
            problems = await (await runtime.desk()).ledger.verify()
            found.append(Finding(not problems, "ledger", clean("; ".join(problems), 2000) or "sound"))
            found.extend(await _mandates(settings, await runtime.desk()))
        except GunbotMcpError as exc:
            found.append(Finding(False, "ledger", str(exc)))
    return found


async def _mandates(settings: Settings, desk: Desk) -> list[Finding]:
    """Tell the mandates in force that do not count here, and those that nothing uses because of the mode."""
    served, now = settings.served, desk.clock.now()
    active = [one for one in await desk.ledger.mandates(settings.name) if one.active(now)]
    told = [(one, not_for(one, live=served.live, url=served.url)) for one in active]
    found = [Finding(None, f"mandate {one.id}", against) for one, against in told if against is not None]
    counting = sum(against is None for _, against in told)
    if served.live and counting and settings.effective_mode is not Mode.AUTO:
        unused = f"{counting} in force, but mode {settings.effective_mode.value} is not auto: nothing uses them"
        found.append(Finding(None, "mandates", unused))
    return found


def _channels(settings: Settings) -> Iterator[Finding]:
    """Say how a human would be asked: what the rules let go without asking, then where each client's human decides."""
    mode, live = settings.effective_mode, settings.served.live
    if mode is Mode.READ_ONLY:
        yield Finding(None, "approval", "not needed: the server is read-only")
        return
    if mode is Mode.AUTO and not live:
        yield Finding(None, "approval", "mode auto on paper: orders go at once, nobody is asked")
        return
    if mode is Mode.AUTO:
        yield Finding(
            None, "approval", "mode auto: what an active mandate covers goes at once (gunbot-mcp mandate list)"
        )
    elsewhere = " or ".join(_PLACES[row.name] for row in human_channels(settings) if row.name in _PLACES)
    if live and not has_pin(state_folder(settings)):
        yield Finding(None, "PIN", f"none is set, so {elsewhere} cannot approve; run gunbot-mcp pin")
        elsewhere = "nothing else until a PIN is set"
    elif live and may_be_short(state_folder(settings)):
        yield Finding(None, "PIN", _MAY_BE_SHORT)
    clients = recall(settings)
    if not clients:
        yield Finding(None, "approval", f"no client has connected yet; without one a human decides in {elsewhere}")
    for name, facts in clients.items():
        said = f"{_offers(facts)}; a human is asked in {_asked(settings, facts)}{elsewhere}"
        yield Finding(True, f"client {clean(name, 80)}", said)


_MAY_BE_SHORT = (
    f"it was set when fewer than {SHORTEST} characters were allowed, and if it has fewer it does not count on this "
    "live instance; gunbot-mcp pin sets a new one"
)

_PLACES: Mapping[str, str] = {"page": "the approval page", "terminal": "gunbot-mcp approve"}
"""The channels that every client's human has, as places to go to."""


def _offers(facts: Mapping[str, Any]) -> str:
    offers = [word for word, key in (("forms", "shows_forms"), ("ticket cards", "shows_card")) if facts.get(key)]
    return f"offers {' and '.join(offers) or 'neither forms nor cards'} (protocol {clean(facts.get('protocol'), 40)})"


def _asked(settings: Settings, facts: Mapping[str, Any]) -> str:
    """Return the client's own channels that would be used, in their order, ready to be followed by the others."""
    known = bool(facts.get("known", True))
    used = ""
    if facts.get("shows_forms") and is_open("form", settings):
        over_http = "(not its forms: over HTTP anybody could answer them) "
        used += "its form first, then " if is_open("form", settings, known=known) else over_http
    if facts.get("shows_card"):
        decides = is_open("card", settings, known=known)
        used += "its ticket card, then " if decides else "its ticket card, which has no buttons and leads to "
    return used
