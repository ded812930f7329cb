"""The canary hunt: whichever way a credential comes in, it goes to Gunbot's own header and nowhere else.

Gunbot repeats it in every answer and every header, a model calls every tool, a human approves, logs are at DEBUG. Then
results, errors, logs, reprs, tracebacks, commands and every byte of the state folder are searched. The canaries have no
shape that a pattern would mask; the expired token alone is a real JSON Web Token.
"""

import base64
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import keyring
import pytest
from security.hostile import ORDER_TOOLS, TOOLS, WIDE, Tally, arguments_of, hostile, stored
from support.certificates import behind, make
from support.keyrings import FILE, InAFile, choose
from support.recorder import Recorder

from gunbot_mcp.cli import run
from gunbot_mcp.config import Settings, load
from gunbot_mcp.errors import GatewayError, GunbotMcpError
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.tickets.channels import TERMINAL

pytestmark = pytest.mark.slow
CANARY = "canary-51c7e9a04b-token"
PASSWORD, WALLET = "canary-password-88", "canary-wallet-0123456789"
BODY = base64.urlsafe_b64encode(json.dumps({"exp": 1_700_000_000, "who": "canary"}).encode()).decode().rstrip("=")
EXPIRED = f"eyJhbGciOiJIUzI1NiJ9.{BODY}.Y2FuYXJ5LXNpZ25hdHVyZQ"
NO = {"status": "error", "message": "Authentication required", "code": 401}


@dataclass(frozen=True, slots=True)
class Form:
    """How a credential is configured: keys of the instance, and what must never be seen (the token first)."""

    fields: dict[str, Any]
    canaries: tuple[str, ...] = (CANARY,)
    environment: dict[str, str] = field(default_factory=dict[str, str])


@pytest.fixture
def form(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Form]:
    monkeypatch.setenv(FILE, str(tmp_path / "keyring.json"))
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text(f"{CANARY}\n", encoding="utf-8")
    before = keyring.get_keyring()
    choose(kept := InAFile())
    kept.put("gunbot-mcp/gunbot", CANARY)
    login = {"password": PASSWORD, "wallet": WALLET}
    forms: dict[str, Form] = {
        "environment": Form({}, environment={"GUNBOT_TOKEN": CANARY}),
        "config": Form({"token": CANARY}),
        "file": Form({"token_file": str(file)}),
        "keyring": Form({"token_keyring": "gunbot-mcp/gunbot"}),
        "password": Form(login, canaries=(CANARY, PASSWORD, WALLET, WALLET[:16])),
        "expired": Form({"token": EXPIRED}, canaries=(EXPIRED, BODY, EXPIRED.rsplit(".", 1)[1])),
    }
    yield forms[str(request.param)]
    choose(before)


def configured(
    form: Form, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **more: str
) -> Callable[[], Settings]:
    """Write the config as a user does, and return what reads it."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"url": url, **form.fields, **more}.items()]
    limits = [f"{key} = {value}" for key, value in WIDE.items()]
    text = ["[approval]", "wait = 0", "[instances.gunbot]", *lines, "[instances.gunbot.limits]", *limits]
    (folder / "config.toml").write_text("\n".join(text), encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(folder / "config.toml"))
    for name, value in form.environment.items():
        monkeypatch.setenv(name, value)
    return load


def repeating(gunbot: Recorder, canaries: tuple[str, ...]) -> None:
    """Make a Gunbot that says every secret in every answer: in words, in fields, in headers."""
    said = " ".join(canaries)
    extra = f"Set-Cookie: jwt={canaries[0]}\r\nX-Token: {canaries[-1]}\r\n"
    record = {
        "time": 1731617894238,
        "pair": said,
        "type": "buy",
        "rate": 1,
        "amount": 1,
        "id": canaries[0],
        "note": said,
    }

    def answer(value: object, status: int = 200) -> Any:  # noqa: ANN401 - a reply
        return gunbot.http(status, json.dumps(value).encode(), extra=extra)

    for path in ("/orders", "/orders/page", "/orders/page/multi"):
        gunbot.on(path, answer({"total": 1, "page": 0, "data": [record]}), answer({"message": said}))
    gunbot.on("/pairs", answer({"pairList": ["USDT-BTC", said]}))
    gunbot.on("/balances", answer([{"Asset": said, "Exchange": "binance", "Available Qty": "1", "On Order": said}]))
    gunbot.on("/time", answer({"serverTime": 1731617894238, "note": said}))
    gunbot.on("/auth/status", answer({"status": "success", "message": said}))
    memory = {
        "binance/USDT-BTC": {"openOrders": [{"id": canaries[0], "type": "buy", "rate": 1, "amount": 1}], "x": said}
    }
    gunbot.on("/coremem", answer({"memory": memory, "config": {"binance": {said: {"enabled": True}}}}))
    gunbot.on("/coremem/single", answer({"memory": memory}))
    for path in ("/trade/buy", "/trade/sell"):
        replies = [answer({"status": "error", "message": said}, status) for status in (400, 401, 500)]
        gunbot.on(path, *replies, answer({"status": "success", "message": said}))


async def hunted(chosen: Settings, tally: Tally) -> list[str]:
    """Call everything, approve what can be approved, and return all that could be seen."""
    seen: list[str] = []
    async with hostile(chosen, "legacy", tally) as (runtime, model):
        desk = await runtime.desk()
        for turn, tool in enumerate([*TOOLS, *["buy_limit", "sell_limit"] * 4]):
            found = await model.call(
                tool, {**arguments_of(tool), **({"price": 50000 - turn} if tool in ORDER_TOOLS else {})}
            )
            if found.get("status") == "awaiting_approval":
                try:
                    seen.append(repr(await desk.approve(found["ticket"]["id"], by=TERMINAL)))
                except GunbotMcpError as exc:
                    seen += [repr(exc), str(exc)]
                await model.call("get_ticket", {"ticket_id": found["ticket"]["id"]})
        await model.call("list_tickets", {})
        seen += [repr(event) for event in await desk.ledger.events(limit=1000)]
        seen += [repr(one) for one in (runtime, runtime.gunbot, runtime.gunbot.credential, desk, runtime.dispatcher)]
    settings = (
        repr(chosen),
        str(chosen),
        chosen.model_dump_json(),
        repr(chosen.served),
        repr(chosen.served.model_dump()),
    )
    async with Gunbot(chosen.served) as gunbot:
        try:
            await gunbot.balances()
        except GatewayError as exc:
            seen += ["".join(traceback.format_exception(exc)), repr(vars(exc))]
    return [*seen, *settings, *tally.shown]


def commands(capsys: pytest.CaptureFixture[str]) -> str:
    """Run what a user, or an assistant's shell, would run."""
    for line in (["doctor"], ["call", "list_open_orders", "{}"], ["tickets"], ["ledger"], ["setup", "--yes"]):
        run(line)
    return "".join(capsys.readouterr())


@pytest.mark.parametrize("form", ["environment", "config", "file", "keyring", "password", "expired"], indirect=True)
def test_no_form_of_a_credential_is_seen_or_kept_anywhere(
    form: Form,
    recorder: Recorder,
    tmp_path: Path,
    *,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    tally: Tally,
) -> None:
    caplog.set_level(logging.DEBUG)
    # Of a web token the parts are looked for, too; Gunbot knows no reason to say them one by one.
    repeating(recorder, form.canaries[:1] if EXPIRED in form.canaries else form.canaries)
    recorder.on("/auth/login", recorder.json({"status": "success", "token": CANARY}))
    if EXPIRED in form.canaries:
        recorder.on("/balances", recorder.json({**NO, "message": EXPIRED}, 401))
    chosen = configured(form, recorder.url, tmp_path, monkeypatch)()
    seen = anyio.run(hunted, chosen, tally)
    said = commands(capsys)

    sent = {request.headers.get("authorization") for request in recorder.requests if "login" not in request.path}
    assert f"Bearer {form.canaries[0]}" in sent
    assert len(recorder.trades) > 4
    everything = "\n".join([*seen, said, caplog.text])
    kept = stored(chosen.folder)
    for canary in form.canaries:
        assert canary not in everything
        assert canary.encode() not in kept


def test_another_certificate_gets_no_canary_and_no_model_learns_what_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    tally: Tally,
) -> None:
    caplog.set_level(logging.DEBUG)
    pinned, other = make(tmp_path / "a"), make(tmp_path / "b", common_name="canary-name.example")
    plain = Form({"token": CANARY})
    with behind(other) as served:
        repeating(served, (CANARY,))
        chosen = configured(plain, served.url, tmp_path, monkeypatch, tls_fingerprint=pinned.fingerprint)()
        seen = anyio.run(hunted, chosen, tally)
        said = commands(capsys)
        assert served.requests == []
    everything = "\n".join([*seen, said, caplog.text])
    assert "a human can see it with `gunbot-mcp doctor`" in everything
    for canary in (CANARY, other.fingerprint, other.fingerprint.replace(":", "").lower(), "canary-name.example"):
        assert canary not in everything
        assert canary.encode() not in stored(chosen.folder)
