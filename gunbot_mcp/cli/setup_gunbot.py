"""What `gunbot-mcp setup` asks about a real Gunbot, each answer tried with the adapter before the next question."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import anyio
import click
from pydantic import ValidationError

from gunbot_mcp.address import address, is_loopback
from gunbot_mcp.cli.connection import described, login_rows
from gunbot_mcp.cli.human import at_terminal
from gunbot_mcp.cli.questions import Again, Questions, fine
from gunbot_mcp.clock import Clock
from gunbot_mcp.errors import ConfigInvalid, GatewayError, GatewayUnreachable, GunbotMcpError, Unauthorized, clean
from gunbot_mcp.gunbot import keychain
from gunbot_mcp.gunbot.certificate import presented
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.expiry import Credential
from gunbot_mcp.gunbot.tls import Untrusted
from gunbot_mcp.instance import Instance
from gunbot_mcp.tokens import plain_token

Fields = dict[str, Any]
"""Keys of an instance as a config holds them."""
Enabled = Mapping[str, Mapping[str, bool | None]]

PAPER = "paper"
TRUST = ("ca_file", "insecure_skip_verify", "tls_fingerprint", "tls_server_name")
WAY = ("url", "allow_insecure_http", *TRUST)
LOGIN = ("token", "token_file", "token_keyring", "password", "wallet")
_LOCAL_PORTS = (3000, 3001, 5000, 5001)
_BLINK = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to log in, tried: keys for the config, and a token that has yet to be put where it is kept."""

    fields: Fields = field(repr=False)
    token: str = field(default="", repr=False)
    keep_in: str = ""
    enabled: Enabled | None = None


# The address


def found_here() -> str:
    """Return the address of a Gunbot on this machine at one of the ports that are seen most, or "paper"."""

    async def look() -> str:
        found: dict[str, None] = {}
        urls = [f"{scheme}://127.0.0.1:{port}" for port in _LOCAL_PORTS for scheme in ("https", "http")]

        async def knock(url: str) -> None:
            try:
                await _greet({"url": url, "connect_timeout": _BLINK, "read_timeout": _BLINK})
            except Untrusted as exc:
                if exc.certificate:
                    found[url] = None
            except GunbotMcpError:
                pass
            else:
                found[url] = None

        async with anyio.create_task_group() as tasks:
            for url in urls:
                tasks.start_soon(knock, url)
        return next((url for url in urls if url in found), PAPER)

    return anyio.run(look)


def ask_address(ask: Questions, default: str, old: Fields) -> Fields:
    """Return the keys that lead to Gunbot, once it answers there; none for paper."""

    def once() -> Fields:
        text = ask.text("Gunbot's address (as in your browser), or paper to practise without one", default)
        if text.lower() == PAPER:
            return {}
        way = _reachable(text, {key: old[key] for key in TRUST if key in old})
        if way["url"].startswith("http://") and not is_loopback(way["url"]):
            allowed = bool(old.get("allow_insecure_http")) and old.get("url") == way["url"]
            question = "Over plain http, the network between can read the token. Allow that?"
            if not ask.agree(question, default=allowed):
                raise Again("plain http to another machine was not allowed", "give an https address")
            way["allow_insecure_http"] = True
        return way

    return ask.until_good(once)


def _reachable(text: str, trust: Fields) -> Fields:
    """Return what leads there: an address without a scheme is tried with both."""
    failed: GatewayError | None = None
    for typed in [text] if "://" in text else [f"https://{text}", f"http://{text}"]:
        try:
            url = address(typed)
        except ValueError as exc:
            raise Again(f"{clean(text)} {exc}") from None
        way: Fields = {"url": url} | (trust if url.startswith("https://") else {})
        try:
            anyio.run(_greet, way)
        except Untrusted as exc:
            if exc.certificate:
                return way  # it is there, and who it is will be asked next
            failed = failed or exc
        except GatewayError as exc:
            failed = exc if failed is None or not isinstance(exc, GatewayUnreachable) else failed
        else:
            fine(f"a Gunbot answers at {url}")
            return way
    raise Again("nothing answers there", "check host and port") if failed is None else Again.because(failed)


async def _greet(way: Fields) -> None:
    """Ask without a login. Whoever asks for one back is a Gunbot, too.

    Raises:
        GatewayError: nothing is there, or something else.
    """
    async with Gunbot(instance_of(way)) as gunbot:
        try:
            await gunbot.server_time()
        except Unauthorized:
            return


# The certificate


def ask_trust(ask: Questions, way: Fields) -> Fields:
    """Return the keys with what makes the certificate good; a human looks at it.

    Raises:
        ConfigInvalid: nobody trusts it.
    """
    for _ in range(3):
        try:
            anyio.run(_greet, way)
        except Untrusted as exc:
            way = _decide(ask, way, exc)
        else:
            return way
    raise ConfigInvalid("the certificate is still not good", "set ca_file or tls_fingerprint by hand")


def _decide(ask: Questions, way: Fields, exc: Untrusted) -> Fields:
    shown = anyio.run(presented, instance_of(way))
    click.echo(f"  ✗ {exc.message}")
    if at_terminal():
        click.echo(f"    It shows {described(shown)}.")
        click.echo("    On Gunbot's machine: openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE")
    # On the way to this machine itself there is nobody in between; but a pin that no longer fits is a warning.
    default = is_loopback(way["url"]) and "tls_fingerprint" not in way
    if ask.agree("Is this Gunbot's own certificate? Trust it from now on, and no other?", default=default):
        others = {key: value for key, value in way.items() if key not in TRUST or key == "tls_server_name"}
        return {**others, "tls_fingerprint": shown.fingerprint}
    file = ask.text("A file with the certificate, or with the authority that signed it (empty: stop)", "")
    if not file:
        raise ConfigInvalid(
            "the certificate is not trusted", "compare it in a terminal with gunbot-mcp setup, or set ca_file"
        )
    way = {**{key: value for key, value in way.items() if key != "tls_fingerprint"}, "ca_file": file}
    if shown.names and urlsplit(str(way["url"])).hostname not in shown.names:
        way["tls_server_name"] = ask.text("The name in it that counts", shown.names[0])
    return way


# The login


def ask_login(ask: Questions, way: Fields, old: Fields, token: str) -> Login:
    """Return a login that Gunbot accepted. `token` is the one that the environment holds."""
    kept: Fields = {key: old[key] for key in LOGIN if key in old} if old.get("url") == way["url"] else {}
    ways = ["token", "password"]
    ways += ["keyring"] if keychain.is_there() else []
    ways += ["keep"] if kept else []
    default = "keep" if kept and not token else "token"
    click.echo(
        "How to log in: token (paste it once; kept in a file of its own, for you alone), password (with the wallet"
    )
    click.echo(
        "key; kept in the config)"
        + (", keyring (a token, kept in your system's keyring)" if "keyring" in ways else "")
        + (", keep (as it is now)" if kept else "")
        + "."
    )

    def once() -> Login:
        chosen = ask.text(f"Log in by {', '.join(ways)}", default)
        if chosen not in ways:
            raise Again(f"{clean(chosen, 40)} is none of {', '.join(ways)}")
        if chosen == "keep":
            return _accepted(way, Login(fields=kept))
        if chosen == "password":
            password = ask.secret("Gunbot's password (not shown)")
            wallet = ask.secret("Wallet key: bot.gunthy_wallet in Gunbot's config.js (not shown)")
            if not (password and wallet):
                raise Again("password and wallet key are both needed")
            return _accepted(way, Login(fields={"password": password, "wallet": wallet}))
        pasted = ask.secret(
            "Token: localStorage.jwtToken in the console of Gunbot's GUI (not shown"
            + ("; empty: the one in GUNBOT_TOKEN)" if token else ")")
        )
        if not (pasted or token):
            raise Again("there is no token", "paste it, or set GUNBOT_TOKEN")
        try:
            plain = plain_token(pasted or token, "this")
        except ConfigInvalid as exc:
            raise Again.because(exc) from None
        return _accepted(way, Login(fields={}, token=plain, keep_in="keyring" if chosen == "keyring" else "file"))

    return ask.until_good(once)


def _accepted(way: Fields, login: Login) -> Login:
    """Return the login with what Gunbot shows to it.

    Raises:
        Again: Gunbot does not accept it.
    """

    async def ask() -> tuple[Credential, Enabled | None]:
        token = {"token": login.token} if login.token else {}
        async with Gunbot(instance_of({**way, **login.fields, **token})) as gunbot:
            await gunbot.status()
            try:
                enabled = await gunbot.configured()
            except Unauthorized:
                raise
            except GatewayError:
                enabled = None
            return gunbot.credential, enabled

    try:
        found, enabled = anyio.run(ask)
    except GunbotMcpError as exc:
        raise Again.because(exc) from None
    fine("Gunbot accepts the login")
    for _, _, said in login_rows(found, Clock().now()):
        click.echo(f"    {said}")
    return Login(fields=login.fields, token=login.token, keep_in=login.keep_in, enabled=enabled)


def instance_of(fields: Fields) -> Instance:
    """Return the instance.

    Raises:
        Again: a value cannot be.
    """
    try:
        return Instance.model_validate(fields)
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        raise Again(f"{'.'.join(map(str, first['loc']))}: {clean(first['msg'])}") from None
