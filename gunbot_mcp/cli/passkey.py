"""`gunbot-mcp passkey`: register a passkey, list them, revoke one, or make a code for a device at the public url."""

import secrets
from functools import partial
from typing import TYPE_CHECKING

import anyio
import click

from gunbot_mcp.approval.passkey_code import LASTS, keep, new_code
from gunbot_mcp.approval.passkeys import Registrar
from gunbot_mcp.approval.pin import PinGate, has_pin
from gunbot_mcp.cli.human import require_terminal, with_desk
from gunbot_mcp.cli.touch import ask_for, at_localhost, lead_to, serve_until
from gunbot_mcp.config import Settings, load
from gunbot_mcp.errors import ConfigInvalid, InvalidArguments, clean
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.render import instant
from gunbot_mcp.runtime import state_folder
from gunbot_mcp.tickets.channels import PASSKEY, TERMINAL
from gunbot_mcp.tickets.content import canonical
from gunbot_mcp.tickets.passkey import Deed, Passkey
from gunbot_mcp.web.frame import Served
from gunbot_mcp.web.passkeys import PATH, PasskeyPages

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

_SHORTEST_PREFIX = 8


@click.command()
@click.option("--list", "listing", is_flag=True, help="Show what is registered, with each key's SHA-256.")
@click.option("--revoke", metavar="SHA-256", help="End a passkey; its first eight digits are enough.")
@click.option("--public", is_flag=True, help="Make a code that registers one device at the public url.")
@click.option("--instance", help="The instance to use, where the config has several.")
def passkey(*, listing: bool, revoke: str | None, public: bool, instance: str | None) -> int:
    """Register a passkey: a touch of it then approves. The first needs the PIN, further ones a touch."""
    settings = load(instance=instance)
    if listing:
        with_desk(settings, _list)
        return 0
    require_terminal("registering or revoking a passkey")
    if revoke is not None:
        return with_desk(settings, lambda desk: _revoke(settings, desk, revoke))
    return with_desk(settings, lambda desk: _code(settings, desk) if public else _register(settings, desk))


def any_live(settings: Settings) -> bool:
    return any(instance.live for instance in settings.instances.values())


async def _list(desk: Desk) -> None:
    known = await desk.ledger.passkeys()
    if not known:
        click.echo("no passkeys")
    for one in known:
        state = "" if one.revoked_at is None else f", revoked {instant(one.revoked_at)}"
        paper = "" if one.live else ", paper only"
        click.echo(
            f"{one.name}  for {one.rp}, registered {instant(one.registered_at)} by {one.registered_by}{paper}{state}"
        )
        click.echo(f"    SHA-256 {one.fingerprint}")


async def _register(settings: Settings, desk: Desk) -> int:
    done = anyio.Event()
    made: list[Passkey] = []

    def registered(one: Passkey) -> None:
        made.append(one)
        done.set()

    async with at_localhost() as (listeners, origin):
        registrar = Registrar(
            desk.ledger,
            desk.clock,
            state_folder(settings),
            rp="localhost",
            origin=lambda: origin,
            any_live=any_live(settings),
        )
        await registrar.needs()
        served = Served(instance=settings.name, live=settings.served.live)
        pages = PasskeyPages(registrar, desk.ledger, lambda: served, registered)

        async def answer(request: "Request") -> "Response":
            return await pages.answer(request)

        invite = partial(lead_to, settings, f"{origin}{PATH}", "register your passkey")
        await serve_until(answer, listeners, done, invite)
    one = made[0]
    click.echo(f'Passkey "{one.name}" is registered. Keep this elsewhere; it proves later what it approved:')
    click.echo(f"SHA-256 {one.fingerprint}")
    return 0


async def _code(settings: Settings, desk: Desk) -> int:
    if not settings.approval.public_url:
        raise ConfigInvalid("there is no public url", "set approval.public_url in the config")
    folder = state_folder(settings)
    registrar = Registrar(desk.ledger, desk.clock, folder, rp="", origin=lambda: "", any_live=any_live(settings))
    needs = await registrar.needs()
    code, said = new_code()
    if needs == "touch":
        lines = ("Let one more device in", f"It can then sign in at {settings.approval.public_url}, and approve there.")
        touch = await ask_for(settings, desk, Deed.VOUCH, said, lines)
        keep(folder, code, desk.clock.now(), proof="passkey", live=True, vouch=touch.facts(Deed.VOUCH, said))
    else:
        if needs == "pin":
            typed = await anyio.to_thread.run_sync(lambda: click.prompt("PIN", hide_input=True, type=str))
            await PinGate(desk.ledger, folder, desk.clock, live=True).verify(typed, actor=TERMINAL, ticket=None)
        keep(folder, code, desk.clock.now(), proof=needs, live=needs == "pin")
    shown = "-".join(code[i : i + 4] for i in range(0, len(code), 4))
    click.echo(f"Open {settings.approval.public_url} on the device, and type this code there:")
    click.secho(shown, bold=True)
    click.echo(f"It lets one device in, within {LASTS.seconds // 60} minutes.")
    return 0


async def _revoke(settings: Settings, desk: Desk, which: str) -> int:
    digits = which.strip().lower()
    known = [one for one in await desk.ledger.passkeys() if one.revoked_at is None]
    found = [one for one in known if one.fingerprint.startswith(digits)]
    if len(digits) < _SHORTEST_PREFIX or len(found) != 1:
        raise InvalidArguments(f"no single passkey is {clean(which, 80)!r}", "gunbot-mcp passkey --list shows them")
    (one,) = found
    if any_live(settings) and settings.approval.live_needs == "passkey":
        said = canonical({"passkey": one.id, "nonce": secrets.token_hex(16)})
        touch = await ask_for(
            settings, desk, Deed.REVOKE, said, (f'Revoke passkey "{one.name}"', f"SHA-256 {one.fingerprint}")
        )
        async with desk.ledger.write() as write:
            await write.revoke_passkey(one, desk.clock.now(), PASSKEY, touch=touch, said=said)
    else:
        folder = state_folder(settings)
        if has_pin(folder):
            typed = await anyio.to_thread.run_sync(lambda: click.prompt("PIN", hide_input=True, type=str))
            await PinGate(desk.ledger, folder, desk.clock, live=any_live(settings)).verify(
                typed, actor=TERMINAL, ticket=None
            )
        async with desk.ledger.write() as write:
            await write.revoke_passkey(one, desk.clock.now(), TERMINAL)
    click.echo(f'Passkey "{one.name}" is revoked.')
    return 0
