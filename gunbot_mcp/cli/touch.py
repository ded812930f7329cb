"""A touch for a command in a terminal: a page of its own at `http://localhost`, for as long as the command waits.

A terminal cannot ask a passkey; a browser can. The page shows what is signed, and the command goes on with the touch.
"""

import contextlib
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gunbot_mcp.approval.inbox import has_ipv6
from gunbot_mcp.approval.passkeys import of_host, request_options
from gunbot_mcp.cli.human import ask_pin, at_terminal
from gunbot_mcp.cli.screen import say
from gunbot_mcp.config import Settings
from gunbot_mcp.errors import ConfigInvalid, GunbotMcpError, TicketNotFound
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.loopback import bind
from gunbot_mcp.telling.browser import open_page
from gunbot_mcp.tickets.channels import PASSKEY, TERMINAL, Actor
from gunbot_mcp.tickets.passkey import Deed, Touch, parse_touch
from gunbot_mcp.web import gate
from gunbot_mcp.web.background import beside
from gunbot_mcp.web.frame import Served
from gunbot_mcp.web.headers import HEADERS
from gunbot_mcp.web.pages import render
from gunbot_mcp.web.passkey_view import touch_page

Answer = Callable[[Request], Awaitable[Response]]
_PATIENCE = 300.0
"""Seconds that a command waits for its touch."""


@contextlib.asynccontextmanager
async def at_localhost(port: int = 0) -> AsyncGenerator[tuple[list[socket.socket], str]]:
    """Take a port on both loopback addresses, so that `localhost` leads nowhere else; give the sockets and the origin.

    Raises:
        ConfigInvalid: it is taken on one of them.
    """
    with contextlib.ExitStack() as stack:
        listeners = [bind("127.0.0.1", port)]
        stack.callback(listeners[0].close)
        bound = int(listeners[0].getsockname()[1])
        if has_ipv6():
            listeners.append(bind("::1", bound))
            stack.callback(listeners[1].close)
        yield listeners, f"http://localhost:{bound}"


async def serve_until(
    answer: Answer, listeners: list[socket.socket], done: anyio.Event, invite: Callable[[], Awaitable[None]]
) -> None:
    """Serve these answers until `done`; `invite` tells the human once they are served.

    Raises:
        ConfigInvalid: nobody came in time.
    """
    port = int(listeners[0].getsockname()[1])
    async with beside(_app(answer, port), listeners):
        await invite()
        with anyio.move_on_after(_PATIENCE):
            await done.wait()
    if not done.is_set():
        raise ConfigInvalid("nobody touched a passkey in time; nothing was done", "run the command again")


async def lead_to(settings: Settings, url: str, what: str) -> None:
    """Say at which page to do `what`; where the config asks for it and there is a screen, open it, too."""
    if settings.approval.open == "browser" and at_terminal() and await anyio.to_thread.run_sync(open_page, url):
        # That a browser was started does not prove that it shows the page.
        say(f"Your browser opens {url} now: {what} there (Ctrl-C ends it). If it does not, open it on this machine.")
    else:
        say(f"Open {url} on this machine, and {what} there (Ctrl-C ends it).")


def _app(answer: Answer, port: int) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            gate.check_host(request, port)
            found = await answer(request)
        except GunbotMcpError as exc:
            status = getattr(exc, "status", 404)
            found = Response(f"{exc}\n", status if isinstance(status, int) else 404, headers=HEADERS)
        await found(scope, receive, send)

    return app


async def ask_for(settings: Settings, desk: Desk, deed: Deed, content: str, lines: Sequence[str]) -> Touch:
    """Show `lines` (the first is the title) on a page, and return the touch that signs the content.

    Raises:
        ConfigInvalid: no passkey can be touched on this machine, or nobody did.
    """
    live = any(instance.live for instance in settings.instances.values())
    able = of_host(await desk.ledger.passkeys(), "localhost", live=live)
    if not able:
        raise ConfigInvalid("this needs a touch, and no passkey of this machine counts", "gunbot-mcp passkey")
    done, touches, tokens = anyio.Event(), list[Touch](), gate.Tokens()
    served = Served(instance=settings.name, live=settings.served.live)
    options = json.dumps(request_options(deed, content, "localhost", able))
    async with at_localhost() as (listeners, origin):

        async def answer(request: Request) -> Response:
            if request.url.path != "/":
                raise TicketNotFound("there is no such page", "the front page is the only one")
            problem = ""
            if request.method == "POST":
                gate.check_origin(request)
                form = await gate.read_form(request, {"token", "touch"}, 10)
                tokens.check_for(request, deed, form.get("token", ""))
                try:
                    touch = parse_touch(form.get("touch", ""), origin)
                    async with desk.ledger.write() as write:
                        await write.proven(touch, deed, content, live=live)
                    touches.append(touch)
                    done.set()
                except GunbotMcpError as exc:
                    problem = exc.message
            else:
                gate.check_visit(request)
            cookie, token = tokens.issue_for(request, deed)
            frame, page = touch_page(served, lines, token=token, options=options, problem=problem, done=bool(touches))
            shown = Response(render("touch.html", frame, page), headers=HEADERS, media_type="text/html")
            gate.keep_cookie_at(shown, "/", cookie)
            return shown

        await serve_until(answer, listeners, done, partial(lead_to, settings, origin, "touch your passkey"))
    return touches[0]


async def proven(
    settings: Settings, desk: Desk, deed: Deed, content: str, lines: Sequence[str], *, ticket: str | None = None
) -> tuple[Actor, Touch | None]:
    """Ask the human at this terminal for what `live_needs` asks for: a touch, or the PIN. Return who spoke, and how.

    Raises:
        GunbotMcpError: it was not given.
    """
    if needs_touch(settings):
        return PASSKEY, await ask_for(settings, desk, deed, content, lines)
    await ask_pin(settings, desk, actor=TERMINAL, ticket=ticket)
    return TERMINAL, None


def needs_touch(settings: Settings) -> bool:
    """Return whether only a touch counts on the served instance."""
    return settings.served.live and settings.approval.live_needs == "passkey"
