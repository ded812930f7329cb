"""`gunbot-mcp inbox`: the approval pages of all instances on one fixed port, as long as it runs."""

import contextlib
import functools
import os
import shlex
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import click

from gunbot_mcp.approval.inbox import PORT, Serves, announce, has_ipv6, serves, withdraw
from gunbot_mcp.approval.inbox_lock import the_only_inbox
from gunbot_mcp.approval.passkeys import Registrar
from gunbot_mcp.approval.pin import PinGate
from gunbot_mcp.cli import autostart
from gunbot_mcp.cli.screen import say
from gunbot_mcp.command import program, surroundings
from gunbot_mcp.config import Settings, instance_names, load
from gunbot_mcp.errors import ConfigInvalid, clean
from gunbot_mcp.guard import halt
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.loopback import GRACE_SECONDS, bind, serve_sockets
from gunbot_mcp.runtime import Runtime, state_folder
from gunbot_mcp.server.app import charts_of
from gunbot_mcp.tickets.channels import PAGE
from gunbot_mcp.web.background import beside, guarded
from gunbot_mcp.web.door import Door
from gunbot_mcp.web.inbox import Inbox
from gunbot_mcp.web.page import ApprovalPage
from gunbot_mcp.web.public import PublicSide


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 picks a free one.")
@click.option("--install", "act", flag_value="install", help="Start it at every login, from now on.")
@click.option("--print", "act", flag_value="print", help="Show what --install would write, and where.")
@click.option("--uninstall", "act", flag_value="uninstall", help="Stop it, and start it at login no more.")
def inbox(port: int, act: str | None) -> int:
    """Show and decide the tickets of every instance at http://localhost:PORT, for as long as this runs."""
    if act is not None:
        return _at_login(act, port)
    able, unable = _sorted_out()
    for name, why in unable:
        say(f"cannot send for {name}: {why}", err=True)
    if not able:
        raise ConfigInvalid("this inbox could send for no instance", "gunbot-mcp doctor says what is missing")
    for settings in able:
        kind = "LIVE" if settings.served.live else "PAPER"
        where = f" at {clean(settings.served.url)}" if settings.served.live else ""
        say(f"instance {settings.name}: {kind}{where}")
    anyio.run(functools.partial(_serve, able, port))
    return 0


def _at_login(act: str, port: int) -> int:
    words = [*program(), "inbox", "--port", str(port)]
    uid = os.getuid() if sys.platform != "win32" else 0
    how = autostart.autostart(words, surroundings(), home=Path.home(), platform=sys.platform, uid=uid)
    match act:
        case "print":
            click.echo(f"{how.file}:")
            click.echo(how.text)
            for command in how.start:
                click.echo(shlex.join(command))
        case "install":
            if port == 0:
                raise ConfigInvalid("an inbox that starts by itself needs a port of its own", "leave --port out")
            _said_in_environment()
            autostart.install(how, autostart.run)
            say(f"The inbox starts at every login, and runs now: http://localhost:{port} ({how.file})")
        case _:
            gone = autostart.uninstall(how, autostart.run)
            say(f"{how.file} is removed, and the inbox stopped." if gone else "Nothing was installed.")
    return 0


def _said_in_environment() -> None:
    """Tell of what stands in this environment only: at login nobody sets it, and secrets are not written down."""
    if os.environ.get("GUNBOT_URL") or os.environ.get("GUNBOT_TOKEN"):
        say(
            "GUNBOT_URL and GUNBOT_TOKEN are set here alone, and an inbox that starts at login does not see them: "
            "write url and token_file into the config.",
            err=True,
        )


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
    folder = state_folder(able[0])
    approval = able[0].approval
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(the_only_inbox(folder))
        listeners = _bind_both(port)
        bound = int(listeners[0].getsockname()[1])
        for listener in listeners:
            stack.callback(listener.close)
        outside = _bind_both(approval.public_port) if approval.public_url else []
        for listener in outside:
            stack.callback(listener.close)
        runtimes = [await stack.enter_async_context(Runtime(settings)) for settings in able]
        desks = [await runtime.desk() for runtime in runtimes]
        served = [serves(folder, instance=one.name, live=one.served.live, url=one.served.url) for one in able]
        house = _House(folder, runtimes, desks, served, bound)
        app = house.inbox()
        gate = PinGate(desks[0].ledger, folder, desks[0].clock, live=any(one.served.live for one in able))
        login = runtimes[0].rules
        door = Door(
            app,
            closed=lambda: login.last.approval.page_login,
            pins=gate,
            clock=desks[0].clock,
            port=lambda: bound,
        )
        sides = [app]
        if outside:
            sides.append(house.inbox(approval.public_url))
            await stack.enter_async_context(beside(house.public_side(approval.public_url, sides[-1]), outside))
            say(f"{approval.public_url} is served on port {approval.public_port}, for your own proxy alone")

        def ending() -> None:
            for side in sides:
                side.end_streams()

        def ready(_: str) -> None:
            announce(folder, bound)
            stack.callback(withdraw, folder, bound)
            say(f"listening on http://localhost:{bound}")

        await serve_sockets(guarded(door, grace=GRACE_SECONDS), listeners, announce=ready, ending=ending)


@dataclass(frozen=True, slots=True)
class _House:
    """What both sides of an inbox are made of."""

    folder: Path
    runtimes: list[Runtime]
    desks: list[Desk]
    served: list[Serves]
    port: int

    def inbox(self, public: str = "") -> Inbox:
        """Return the inbox as it is on loopback, or with `public` behind the public side."""
        pages = {
            runtime.settings.name: ApprovalPage(
                desk=desk,
                settings=runtime.settings,
                folder=self.folder,
                pin_gate=PinGate(desk.ledger, self.folder, desk.clock, live=runtime.settings.served.live),
                port=lambda: self.port,
                rules=runtime.rules,
                public=public,
                charts=functools.partial(charts_of, runtime),
            )
            for runtime, desk in zip(self.runtimes, self.desks, strict=True)
        }
        return Inbox(
            pages=pages,
            served=self.served,
            ledger=self.desks[0].ledger,
            folder=self.folder,
            port=lambda: self.port,
            public=public,
        )

    @property
    def any_live(self) -> bool:
        return any(one.settings.served.live for one in self.runtimes)

    def public_side(self, url: str, inside: Inbox) -> PublicSide:
        return PublicSide(
            inside,
            url=url,
            registrar=Registrar(
                self.desks[0].ledger,
                self.desks[0].clock,
                self.folder,
                rp=urlsplit(url).hostname or "",
                origin=lambda: url,
                any_live=self.any_live,
            ),
            ledger=self.desks[0].ledger,
            clock=self.desks[0].clock,
            halt=self._halt,
            any_live=self.any_live,
            tell=functools.partial(say, err=True),
        )

    async def _halt(self, reason: str) -> None:
        halt.throw(halt.users_switch(), reason)
        halt.halt(self.folder, reason)
        if self.runtimes[0].settings.ledger.url.get_secret_value():
            async with self.desks[0].ledger.write() as write:
                await write.halt(reason, PAGE)


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
