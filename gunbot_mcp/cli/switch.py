"""`gunbot-mcp halt | resume`: the kill switch. `halt` needs nothing that could be broken: no config, no ledger."""

import secrets

import anyio
import click

from gunbot_mcp.approval.pin import has_pin
from gunbot_mcp.cli.human import ask_pin, at_terminal, require_terminal, with_desk
from gunbot_mcp.cli.screen import say
from gunbot_mcp.cli.touch import ask_for
from gunbot_mcp.clock import Clock
from gunbot_mcp.config import Settings, load
from gunbot_mcp.errors import GunbotMcpError, clean
from gunbot_mcp.guard import halt as switch
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.runtime import state_folder
from gunbot_mcp.tickets.channels import TERMINAL, Actor
from gunbot_mcp.tickets.content import canonical, instant_text
from gunbot_mcp.tickets.passkey import Deed
from gunbot_mcp.whereabouts import Whereabouts, whereabouts

_LONGEST = 20.0
"""Seconds for a shared ledger to take a halt: a database that hangs must not keep a human from going on."""


@click.command()
@click.argument("reason", default="halted by a human")
def halt(reason: str) -> int:
    """Stop all trading of every instance at once, whoever asks."""
    reason = clean(reason, 500)
    failed: list[str] = []
    # First the one that needs no config: whatever is wrong with that, or with a ledger, comes later.
    users = _throw_users(reason, failed)
    where = whereabouts()
    also = [] if users is None else [f"every gunbot-mcp of this user ({users})"]
    also += _throw_homes(where, reason, failed)
    also += _tell_ledger(where, reason, failed)
    if also:
        say(f"Trading is halted for {', for '.join(also)}, until gunbot-mcp resume.")
    if where.unknown:
        failed.append(f"{where.unknown}, so a state folder or a shared ledger that it names was not told")
    for problem in failed:
        say(f"gunbot-mcp: {problem}", err=True)
    say(
        "Not reached: servers of other users, on other machines or in containers, and any that was started with "
        "another HOME. Run gunbot-mcp halt there, too, or stop them.",
        err=True,
    )
    return 1 if users is None else 0


def _throw_users(reason: str, failed: list[str]) -> str | None:
    try:
        users = switch.users_switch()
        switch.throw(users, reason)
    except GunbotMcpError as exc:
        failed.append(f"the user's switch: {exc}")
        return None
    return str(users)


def _throw_homes(where: Whereabouts, reason: str, failed: list[str]) -> list[str]:
    if where.home is None:
        return []
    try:
        switch.halt(where.home, reason)
    except GunbotMcpError as exc:
        failed.append(f"the state folder's switch: {exc}")
        return []
    return [f"all that keep their state in {where.home}"]


def _tell_ledger(where: Whereabouts, reason: str, failed: list[str]) -> list[str]:
    """Tell the replicas that share a ledger, wherever they run."""
    if not where.ledger:
        return []
    by = TERMINAL if at_terminal() else Actor("command")
    try:
        anyio.run(_halt_ledger, where.ledger, reason, by)
    except (GunbotMcpError, TimeoutError) as exc:
        why = str(exc) or "it did not answer in time"
        failed.append(f"the ledger that the config names could not be told: {why}; replicas elsewhere may send on")
        return []
    return ["all that share its ledger"]


async def _halt_ledger(url: str, reason: str, by: Actor) -> None:
    from gunbot_mcp.ledger.ledger import Ledger  # noqa: PLC0415 - the switch must not fail because a database library does

    with anyio.fail_after(_LONGEST):
        async with await Ledger.open(url, clock=Clock()) as ledger, ledger.write() as write:
            await write.halt(reason, by)


@click.command()
@click.option("--instance", help="The instance to use, where the config has several.")
@click.option("--loss", is_flag=True, help="Allow entries again that max_day_loss or halt_after_rejections refuses.")
def resume(instance: str | None, *, loss: bool) -> None:
    """Allow trading again after a halt; with --loss, entries after a day's loss or a row of rejections."""
    require_terminal("resuming")
    settings = load(instance=instance)
    folder = state_folder(settings)
    if loss:
        with_desk(settings, lambda desk: _resume_loss(settings, desk))
        click.echo("Losses and rejections of today count from now on only. What else is halted stays halted.")
        return
    shared = bool(settings.ledger.url.get_secret_value())
    if switch.halted(folder) is None and not shared:
        click.echo("Trading is not halted.")
        return
    pin = has_pin(folder) or _touches(settings)
    # The switches come last: where the ledger's halt cannot be lifted, all stays halted.
    lifted = with_desk(settings, lambda desk: _allowed(settings, desk, pin=pin, shared=shared)) if pin or shared else 0
    lifted += switch.resume(folder)
    lifted += switch.lift(switch.users_switch())
    click.echo("Trading is allowed again." if lifted else "Trading is not halted.")


async def _resume_loss(settings: Settings, desk: Desk) -> None:
    """Write down that losses and rejections count anew from now on; the PIN is asked for where one is set."""
    if has_pin(state_folder(settings)):
        await ask_pin(settings, desk, actor=TERMINAL)
    async with desk.ledger.write() as write:
        await write.event("loss_resumed", actor=TERMINAL, instance=settings.name)


async def _allowed(settings: Settings, desk: Desk, *, pin: bool, shared: bool) -> int:
    """Ask for the PIN where one is set, then lift the halts that replicas share; return how many there were."""
    if _touches(settings):
        reason = switch.halted(state_folder(settings)) or "a halt of the shared ledger"
        said = canonical({"resume": reason, "at": instant_text(desk.clock.now()), "nonce": secrets.token_hex(16)})
        lines = ("Allow trading again", f"Trading is halted: {reason}", "Every instance can then send orders again.")
        touch = await ask_for(settings, desk, Deed.RESUME, said, lines)
        async with desk.ledger.write() as write:
            by = (await write.proven(touch, Deed.RESUME, said, live=True)).actor
            if shared:
                return await write.lift_halts(by, touch, said)
            await write.event("resumed", actor=by, detail={"touch": touch.facts(Deed.RESUME, said)})
            return 0
    if pin:
        await ask_pin(settings, desk, actor=TERMINAL)
    if not shared:
        return 0
    async with desk.ledger.write() as write:
        return await write.lift_halts(TERMINAL)


def _touches(settings: Settings) -> bool:
    """Return whether resuming needs a touch: the switch is for every instance, so one that is live is enough."""
    live = any(instance.live for instance in settings.instances.values())
    return live and settings.approval.live_needs == "passkey"
