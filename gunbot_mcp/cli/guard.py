"""`gunbot-mcp pin | mandate | ledger`: the human's controls of the guard."""

import json
import re
import secrets
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from gunbot_mcp.approval.pin import LONGEST, SHORTEST, has_pin, set_pin
from gunbot_mcp.arguments import parse_arguments
from gunbot_mcp.cli.groups import Commands
from gunbot_mcp.cli.human import ask_pin, require_terminal, with_desk
from gunbot_mcp.cli.listings import as_json_option, ledger_lines, show_mandates
from gunbot_mcp.cli.output import printable_json
from gunbot_mcp.cli.screen import say
from gunbot_mcp.cli.touch import ask_for, needs_touch
from gunbot_mcp.config import Mode, Settings, load
from gunbot_mcp.domain import Pair, decimal_text
from gunbot_mcp.errors import InvalidArguments, TicketNotFound, clean
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.render import instant
from gunbot_mcp.runtime import state_folder
from gunbot_mcp.tickets.channels import PASSKEY, TERMINAL
from gunbot_mcp.tickets.mandate import Mandate, sealed
from gunbot_mcp.tickets.passkey import Deed
from gunbot_mcp.tools.market import QuoteArgs

if TYPE_CHECKING:
    from gunbot_mcp.ledger.signed import Signature

_instance = click.option("--instance", help="The instance to use, where the config has several.")
_UNITS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = timedelta(days=7)
_TRIES = 3
"""How often a new PIN may be typed that is none."""


@click.command()
@_instance
def pin(instance: str | None) -> None:
    """Set the PIN that approving live orders asks for."""
    require_terminal("setting a PIN")
    settings = load(instance=instance)
    folder = state_folder(settings)
    if has_pin(folder):
        say("There is a PIN already; type it first.")
        with_desk(settings, lambda desk: ask_pin(settings, desk, actor=TERMINAL, replacing=True))
    say(f"A PIN has {SHORTEST} to {LONGEST} characters; six digits are enough. It shows that it is you who approves.")
    for left in range(_TRIES - 1, -1, -1):
        try:
            set_pin(folder, click.prompt("New PIN", hide_input=True, confirmation_prompt=True, type=str))
            break
        except InvalidArguments as exc:
            if not left:
                raise
            say(f"Not set: {exc.message}.")
    click.echo("The PIN is set.")


@click.group(cls=Commands)
def mandate() -> None:
    """Give a live instance in mode auto a permission: time-boxed, capped."""


@mandate.command("create")
@click.option("--exchange", required=True, help="e.g. binance")
@click.option("--pairs", required=True, help="Comma-separated, one paying asset, e.g. USDT-BTC,USDT-ETH")
@click.option("--max-order", required=True, help="Largest worst case of one order, in the paying asset.")
@click.option("--max-total", required=True, help="Largest sum of worst cases.")
@click.option("--for", "duration", required=True, help="How long: 30m, 2h, 1d (at most 7d).")
@_instance
def mandate_create(
    exchange: str, pairs: str, max_order: str, max_total: str, duration: str, instance: str | None
) -> None:
    """Allow orders within these bounds without asking."""
    require_terminal("creating a mandate")
    settings = load(instance=instance)
    names = tuple(name.strip() for name in pairs.split(",") if name.strip())
    for name in names:
        parse_arguments(QuoteArgs, {"exchange": exchange, "pair": name})
    paying = {pair.paying if pair else None for pair in map(Pair.parse, names)}
    asset = paying.pop() if len(paying) == 1 else None
    if asset is None:
        raise InvalidArguments("--pairs must be pairs with one paying asset", "for example USDT-BTC,USDT-ETH")
    order, total, length = _amount("--max-order", max_order), _amount("--max-total", max_total), _duration(duration)
    if order > total:
        raise InvalidArguments("--max-order is more than --max-total", "one order cannot cost more than all of them")
    bounds = (
        f"{'LIVE' if settings.served.live else 'PAPER'} instance {settings.name}: orders of up to "
        f"{decimal_text(order)} {asset}, {decimal_text(total)} {asset} in all, on {exchange} ({', '.join(names)}), "
        f"for {duration}, without asking you."
    )
    say(bounds)

    async def create(desk: Desk) -> Mandate:
        touched = needs_touch(settings)
        if not touched:
            await ask_pin(settings, desk, actor=TERMINAL)
        now = desk.clock.now()
        made = Mandate(
            id=secrets.token_hex(4),
            instance=settings.name,
            live=settings.served.live,
            url=settings.served.url,
            exchange=exchange,
            pairs=names,
            asset=asset,
            max_order=order,
            max_total=total,
            created_at=now,
            expires_at=now + length,
            created_by=PASSKEY if touched else TERMINAL,
        )
        if touched:
            lines = (f"Create a mandate on LIVE instance {settings.name}", bounds)
            touch = await ask_for(settings, desk, Deed.MANDATE, sealed(made).content, lines)
        elif click.confirm("Create this mandate?", default=False):
            touch = None
        else:
            raise click.Abort
        async with desk.ledger.write() as write:
            await write.add_mandate(made, touch)
        return made

    made = with_desk(settings, create)
    say(f"Mandate {made.id} holds until {instant(made.expires_at)}. {_effect(settings)}")


def _effect(settings: Settings) -> str:
    """Return what a new mandate changes on this instance, as it is set now."""
    if not settings.served.live:
        return (
            f"It was made on PAPER and never lets a live order go, also not if {settings.name} becomes live. "
            "On paper, mode auto sends orders without a mandate."
        )
    only = f"It is for the Gunbot at {settings.served.url} only."
    mode = settings.effective_mode
    if mode is Mode.AUTO:
        return only
    return (
        f"{only} Nothing uses it yet: instance {settings.name} is in mode {mode.value}, not auto. To use it, "
        'set mode = "auto" for this instance in the config (or GUNBOT_MCP_MODE=auto), and restart its server.'
    )


@mandate.command("list")
@as_json_option
@_instance
def mandate_list(instance: str | None, *, as_json: bool) -> None:
    """List mandates with what they have spent."""
    settings = load(instance=instance)

    async def find(desk: Desk) -> list[tuple[Mandate, bool]]:
        now = desk.clock.now()
        return [(one, one.active(now)) for one in await desk.ledger.mandates(settings.name)]

    show_mandates(settings, with_desk(settings, find), as_json=as_json)


@mandate.command("revoke")
@click.argument("mandate_id", metavar="ID")
@_instance
def mandate_revoke(mandate_id: str, instance: str | None) -> None:
    """End a mandate now."""
    settings = load(instance=instance)

    async def revoke(desk: Desk) -> bool:
        async with desk.ledger.write() as write:
            return await write.revoke_mandate(mandate_id, TERMINAL)

    if not with_desk(settings, revoke):
        raise TicketNotFound(f"there is no active mandate {clean(mandate_id, 40)!r}", "gunbot-mcp mandate list")
    click.echo(f"Mandate {mandate_id} is revoked.")


@click.command()
@click.option("--verify", is_flag=True, help="Check the whole chain instead of showing it.")
@click.option("--key", metavar="SHA-256", help="With --verify: what this passkey signed, checked with its key.")
@click.option("--repair", is_flag=True, help="Make the passkeys again what the steps say, if all else is sound.")
@click.option("--ticket", help="Only the steps of one ticket.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@as_json_option
@_instance
def ledger(
    verify: bool,
    key: str | None,
    repair: bool,
    ticket: str | None,
    limit: int,
    instance: str | None,
    *,
    as_json: bool,
) -> int:
    """Show what was ordered and every step since, or verify the record.

    --verify finds a step that was changed, removed or reordered.
    """
    if repair:
        require_terminal("repairing the ledger")
    settings = load(instance=instance)
    if key is not None and not (verify and re.fullmatch(r"[0-9a-fA-F]{64}", key)):
        raise InvalidArguments(
            "--key takes all 64 digits of a passkey's SHA-256, and --verify", "gunbot-mcp passkey --list"
        )
    if repair:
        return with_desk(settings, lambda desk: _repair(settings, desk))
    if verify:
        return with_desk(settings, lambda desk: _verify(desk, key, as_json=as_json))
    with_desk(settings, lambda desk: ledger_lines(desk, ticket, limit))(as_json)
    return 0


async def _repair(settings: Settings, desk: Desk) -> int:
    # Not a touch: the very passkeys are missing, and none comes in that the chain does not name.
    await ask_pin(settings, desk, actor=TERMINAL)
    async with desk.ledger.write() as write:
        done = await write.restore_passkeys(TERMINAL)
    for what in done:
        say(f"Passkey {what}.")
    say("The ledger is sound." if done else "The passkeys are what the steps say; nothing was changed.")
    return 0


async def _verify(desk: Desk, key: str | None, *, as_json: bool) -> int:
    signatures: list[Signature] = []
    problems = await desk.ledger.verify(signatures)
    newest = await desk.ledger.events(limit=1)
    by_key = [one for one in signatures if key is not None and one.fingerprint == key.lower()]
    bad = bool(problems) or (key is not None and not by_key)
    if as_json:
        last = {"step": newest[0].seq, "at": instant(newest[0].at), "hash": newest[0].hash} if newest else None
        told: dict[str, Any] = {
            "sound": not problems,
            "problems": [clean(problem, 1000) for problem in problems],
            "last": last,
        }
        if key is not None:
            told["signed"] = [
                {"step": one.seq, "at": str(one.at), "deed": str(one.deed), "ticket": one.ticket} for one in by_key
            ]
        click.echo(printable_json(json.dumps(told, indent=2, ensure_ascii=False)))
        return 1 if bad else 0
    for problem in problems:
        click.echo(clean(problem, 1000), err=True)
    steps = f"{newest[0].seq} steps, the last at {instant(newest[0].at)}" if newest else "it is empty"
    click.echo(f"{len(problems)} found wrong" if problems else f"The ledger is sound: {steps}.")
    if key is not None:
        click.echo(f"This passkey signed {len(by_key)} of its steps:")
        for one in by_key:
            click.echo(f"{one.seq}  {one.at}  {one.deed}  {one.ticket or '-'}  {clean(one.passkey, 60)}")
        return 1 if bad else 0
    if signatures:
        click.echo(f"{len(signatures)} touches of passkeys hold; --key SHA-256 lists those of one.")
    return 1 if problems else 0


def _amount(option: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value <= 0:
        raise InvalidArguments(f"{option} must be an amount greater than 0", "for example 50")
    return value


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text.strip())
    length = timedelta(seconds=int(found[1]) * _UNITS[found[2]]) if found else timedelta(0)
    if not timedelta(0) < length <= _LONGEST:
        raise InvalidArguments("--for must be a time of at most 7 days", "for example 30m, 2h or 1d")
    return length
