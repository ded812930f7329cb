"""`gunbot-mcp inbox`: the approval pages of all instances on one fixed port, as long as it runs."""

import contextlib
import functools
import socket

import anyio
import click

from gunbot_mcp.approval.inbox import PORT, Serves, announce, has_ipv6, serves, withdraw
from gunbot_mcp.approval.pin import PinGate
from gunbot_mcp.config import Settings, instance_names, load
from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.loopback import GRACE_SECONDS, bind, serve_sockets
from gunbot_mcp.runtime import Runtime, state_folder
from gunbot_mcp.server.app import charts_of
from gunbot_mcp.web.background import guarded
from gunbot_mcp.web.inbox import Inbox
from gunbot_mcp.web.page import ApprovalPage


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 picks a free one.")
def inbox(port: int) -> int:
    """Show and decide the tickets of every instance at http://localhost:PORT, for as long as this runs."""
    able, unable = _sorted_out()
    for name, why in unable:
        click.echo(f"cannot send for {name}: {why}", err=True)
    if not able:
        raise ConfigInvalid("this inbox could send for no instance", "gunbot-mcp doctor says what is missing")
    for settings in able:
        kind = "LIVE" if settings.served.live else "PAPER"
        where = f" at {clean(settings.served.url)}" if settings.served.live else ""
        click.echo(f"instance {settings.name}: {kind}{where}")
    anyio.run(functools.partial(_serve, able, port))
    return 0


def _sorted_out() -> tuple[list[Settings], list[tuple[str, str]]]:
    """Return the instances that orders can be sent for from here, and the names of the others with the reason."""
    able: list[Settings] = []
    unable: list[tuple[str, str]] = []
    for name in instance_names():
        try:
            settings = load(instance=name)
            settings.served.secret()  # a file that is named is there
            able.append(settings)
        except ConfigInvalid as exc:
            unable.append((name, exc.message))
    return able, unable


async def _serve(able: list[Settings], port: int) -> None:
    listeners = _bind_both(port)
    bound = int(listeners[0].getsockname()[1])
    folder = state_folder(able[0])
    async with contextlib.AsyncExitStack() as stack:
        for listener in listeners:
            stack.callback(listener.close)
        pages: dict[str, ApprovalPage] = {}
        served: list[Serves] = []
        runtimes = [await stack.enter_async_context(Runtime(settings)) for settings in able]
        for runtime in runtimes:
            settings, desk = runtime.settings, await runtime.desk()
            gate = PinGate(desk.ledger, folder, desk.clock, live=settings.served.live)
            pages[settings.name] = ApprovalPage(
                desk=desk,
                settings=settings,
                folder=folder,
                pin_gate=gate,
                port=lambda: bound,
                rules=runtime.rules,
                charts=functools.partial(charts_of, runtime),
            )
            one = settings.served
            served.append(serves(folder, instance=settings.name, live=one.live, url=one.url))
        ledger = (await runtimes[0].desk()).ledger
        app = Inbox(pages=pages, served=served, ledger=ledger, folder=folder, port=lambda: bound)

        def ready(_: str) -> None:
            announce(folder, bound)
            stack.callback(withdraw, folder, bound)
            click.echo(f"listening on http://localhost:{bound}")

        await serve_sockets(guarded(app, grace=GRACE_SECONDS), listeners, announce=ready)


def _bind_both(port: int) -> list[socket.socket]:
    """Take the port on both loopback addresses: a browser goes to [::1] first, and nobody else may answer there.

    Raises:
        ConfigInvalid: it is taken on one of them.
    """
    first = bind("127.0.0.1", port)
    if not has_ipv6():
        return [first]
    try:
        return [first, bind("::1", int(first.getsockname()[1]))]
    except ConfigInvalid:
        first.close()
        raise
