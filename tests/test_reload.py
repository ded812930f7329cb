"""A config that becomes stricter counts for a server that runs, at its next check; a looser one does not."""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from guard.cases import buy, case, refusal
from mcp import Client
from pydantic import BaseModel
from support.calls import call

from gunbot_mcp.config import Instance, Limits, Mode, Settings, load
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.guard.checks import check_static
from gunbot_mcp.reload import NOBODY, TABLE, Rules, stricter
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import approval_page, build_server
from gunbot_mcp.tickets.channels import TERMINAL
from gunbot_mcp.tickets.ticket import State

Write = Callable[[str], None]

BASE = 'mode = "auto"\n[instances.paper]\nmarket = "manual"\n'


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Put another config file in the place of the one that the environment names."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(path))

    def put(text: str) -> None:
        draft = path.with_name("draft.toml")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)

    return put


def keys(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Return every key of the settings as the table writes it: those of an instance once."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        if name == "instances":
            found |= keys(Instance, "instances.")
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= keys(kind, f"{prefix}{name}.")
        else:
            found.add(f"{prefix}{name}")
    return found


def test_every_key_of_the_settings_has_its_rule() -> None:
    assert {"mode", "ledger.url", "instances.url", "instances.limits.max_order"} < keys(Settings)
    assert keys(Settings) - set(TABLE) == set()


USDT, BOTH = {"USDT": Decimal(5)}, {"USDT": Decimal(9), "BTC": Decimal(1)}
STRICTER: dict[str, tuple[Any, Any, Any]] = {
    "mode": (Mode.AUTO, Mode.APPROVE, Mode.APPROVE),
    "instances.mode": (Mode.READ_ONLY, Mode.APPROVE, Mode.READ_ONLY),
    "instances.cancel": ("smart", "ask", "ask"),
    "approval.ttl": (120, 60, 60),
    "approval.elicitation": (True, False, False),
    "approval.page": (True, False, False),
    "approval.card_buttons": ("paper", "never", "never"),
    "approval.live_needs": ("any", "passkey", "passkey"),
    "approval.page_login": (False, True, True),
    "approval.notify_detail": ("full", "short", "short"),
    "approval.touch_at_once": (True, False, False),
    "capabilities": ({"kraken": ["oco", "close"]}, {"kraken": ["close"]}, {"kraken": ["close"]}),
    "instances.allow_insecure_http": (True, False, False),
    "instances.contracts": (BOTH, {**BOTH, "BTC": Decimal(2)}, {"USDT": Decimal(9)}),
    "instances.limits.max_order": (BOTH, USDT, USDT),
    "instances.limits.max_day": (BOTH, USDT, USDT),
    "instances.limits.max_exit": (BOTH, USDT, USDT),
    "instances.limits.max_exit_day": (BOTH, USDT, USDT),
    "instances.limits.code_above": (BOTH, USDT, USDT),
    "instances.limits.orders_per_day": (200, 1, 1),
    "instances.limits.orders_per_minute": (30, 1, 1),
    "instances.limits.price_band_percent": (Decimal(20), Decimal(1), Decimal(1)),
    "instances.limits.slippage_percent": (Decimal(1), Decimal(0), Decimal(0)),
    "instances.limits.fee_percent": (Decimal(0), Decimal(1), Decimal(1)),
    "instances.limits.duplicate_seconds": (60, 90, 90),
    "instances.limits.wrong_side": ("warn", "refuse", "refuse"),
    "instances.limits.without_market_data": ("allow", "refuse", "refuse"),
    "instances.limits.exchanges": (["binance", "kraken"], ["kraken"], ["kraken"]),
    "instances.limits.pairs": (["USDT-BTC"], [], ["USDT-BTC"]),
    "instances.limits.max_day_loss": (USDT, BOTH, {**BOTH, **USDT}),
    "instances.limits.halt_after_rejections": (0, 3, 3),
}
"""Per key: a value, another one, and the stricter of them, whichever came first."""
FIXED = {"home", "instance", "ledger.url", "instances.url", "instances.token", "instances.token_file"} | {
    f"instances.{name}"
    for name in (
        *("password", "wallet", "ca_file", "insecure_skip_verify"),
        *("token_keyring", "tls_fingerprint", "tls_server_name"),
    )
}
LATER = {f"approval.{name}" for name in ("wait", "page_port", "open", "notify", "public_url", "public_port")} | {
    f"instances.{name}" for name in ("connect_timeout", "read_timeout", "deadline", "seed", "market")
}


def test_every_rule_is_tried() -> None:
    assert set(TABLE) == set(STRICTER) | FIXED | LATER


@pytest.mark.parametrize("key", STRICTER)
def test_of_two_values_the_stricter_is_in_force_whichever_came_first(key: str) -> None:
    one, other, expected = STRICTER[key]
    assert TABLE[key](one, other) == TABLE[key](other, one) == expected
    assert TABLE[key](one, one) == one


@pytest.mark.parametrize("key", sorted(LATER))
def test_what_is_neither_stricter_nor_looser_takes_effect_at_the_next_start(key: str) -> None:
    assert (TABLE[key](1, 2), TABLE[key](2, 1)) == (1, 2)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"home": "/elsewhere"}, "home"),
        ({"ledger": {"url": "sqlite:////elsewhere/ledger.db"}}, "ledger.url"),
        ({"instance": "b"}, "instance"),
        ({"url": "https://other.example"}, "instances.url"),
        ({"token": "another"}, "instances.token"),
        ({"token": "", "token_file": "/token"}, "instances.token"),
        ({"password": "p"}, "instances.password"),
        ({"wallet": "w"}, "instances.wallet"),
        ({"ca_file": "/ca.pem"}, "instances.ca_file"),
        ({"insecure_skip_verify": True}, "instances.insecure_skip_verify"),
        ({"token_keyring": "gunbot-mcp/other"}, "instances.token_keyring"),
        ({"tls_fingerprint": "AB" * 32}, "instances.tls_fingerprint"),
        ({"tls_server_name": "localhost"}, "instances.tls_server_name"),
    ],
    ids=str,
)
def test_another_gunbot_login_home_or_ledger_needs_a_restart(change: dict[str, Any], key: str) -> None:
    def make(**other: object) -> Settings:
        live = {"url": "https://gunbot.example", "token": "t-1234"}
        own = {name: other.pop(name) for name in list(other) if name in Instance.model_fields}
        return load(**{"instances": {"a": {**live, **own}, "b": live}, "instance": "a", **other})

    with pytest.raises(ConfigInvalid, match=f": {key} was changed"):
        stricter(make(), make(**change))


@pytest.mark.parametrize(
    ("first", "second", "effective"),
    [
        ({}, {"mode": "read-only"}, Mode.READ_ONLY),
        ({"mode": "auto"}, {}, Mode.APPROVE),
        ({}, {"mode": "auto"}, Mode.APPROVE),
        ({"own": "auto"}, {"mode": "approve", "own": "auto"}, Mode.APPROVE),
        ({"mode": "auto"}, {"mode": "auto", "own": "read-only"}, Mode.READ_ONLY),
        ({"mode": "nonsense"}, {"mode": "auto"}, Mode.READ_ONLY),
    ],
)
def test_the_stricter_mode_counts_wherever_it_is_said(
    first: dict[str, str], second: dict[str, str], effective: Mode
) -> None:
    one, other = (
        load(mode=said.get("mode"), instances={"paper": {"mode": said.get("own", "approve")}})
        for said in (first, second)
    )
    assert stricter(one, other).effective_mode is effective


@pytest.mark.parametrize(
    ("first", "second", "pair", "passes"),
    [
        (["USDT-*"], ["binance/*"], "USDT-BTC", True),
        (["USDT-*"], ["binance/*"], "BTC-ETH", False),
        (["USDT-*"], ["kraken/*"], "USDT-BTC", False),
        (["USDT-BTC", "USDT-ETH"], ["USDT-ETH", "USDT-LTC"], "USDT-ETH", True),
        (["USDT-BTC", "USDT-ETH"], ["USDT-ETH", "USDT-LTC"], "USDT-BTC", False),
        (["USDT-BTC"], ["USDT-ETH"], "USDT-ETH", False),
    ],
)
def test_a_pair_must_be_allowed_by_both(first: list[str], second: list[str], pair: str, *, passes: bool) -> None:
    merged = TABLE["instances.limits.pairs"](first, second)
    found = case(buy(pair=pair), limits=Limits(pairs=merged))
    if passes:
        check_static(found)
    else:
        assert refusal(found) == "pair_not_allowed"


def test_exchanges_that_have_nothing_in_common_allow_none() -> None:
    merged = TABLE["instances.limits.exchanges"](["binance"], ["kraken"])
    assert merged == [NOBODY]
    assert refusal(case(limits=Limits(exchanges=merged))) == "exchange_not_allowed"


# The file


def test_settings_without_a_file_are_in_force_for_ever() -> None:
    settings = load()
    rules = Rules(settings)
    assert rules.require() is rules.last is settings


def test_a_file_that_did_not_change_is_not_read_again(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(BASE)
    settings = load()
    rules = Rules(settings)
    # Read again, this would be another mode.
    monkeypatch.setenv("GUNBOT_MCP_MODE", "read-only")
    assert rules.require() is settings


def test_what_the_environment_and_the_flags_say_still_wins_over_the_file(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(BASE)
    monkeypatch.setenv("GUNBOT_MCP_APPROVAL_WAIT", "3")
    rules = Rules(load(mode="approve"))
    write(f"{BASE}[approval]\nwait = 9\nttl = 30\n")
    assert rules.require().approval.ttl == 30
    assert (rules.last.approval.wait, rules.last.effective_mode) == (3, Mode.APPROVE)


def test_a_file_that_becomes_stricter_and_looser_again_never_allows_more_than_at_the_start(write: Write) -> None:
    write(f'{BASE}[instances.paper.limits]\nmax_order = {{USDT = "50"}}\n')
    rules = Rules(load())
    for amount, expected in (("1", 1), ("500", 50), ("20", 20), ("50", 50)):
        write(f'{BASE}[instances.paper.limits]\nmax_order = {{USDT = "{amount}"}}\n')
        assert rules.require().served.limits.max_order == {"USDT": Decimal(expected)}


@pytest.mark.parametrize("broken", ["[instances.paper\n", "nonsense = 1\n", "\xff\xfe", None])
def test_while_the_file_cannot_be_read_nothing_is_allowed_and_reads_go_on(
    write: Write, tmp_path: Path, broken: str | None
) -> None:
    write(BASE)
    rules = Rules(load())
    if broken is None:
        (tmp_path / "config.toml").unlink()
    else:
        write(broken)
    for _ in range(2):
        with pytest.raises(ConfigInvalid):
            rules.require()
    assert rules.last.effective_mode is Mode.AUTO
    write(BASE)
    assert rules.require().effective_mode is Mode.AUTO


def test_an_edit_in_place_of_the_same_length_is_seen(write: Write, tmp_path: Path) -> None:
    write(f"{BASE}[approval]\nttl = 90\n")
    rules = Rules(load())
    path = tmp_path / "config.toml"
    before = path.stat()
    path.write_text(f"{BASE}[approval]\nttl = 30\n", encoding="utf-8")
    # As a file system with coarse times would show it: the time of the edit is all that differs.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert rules.require().approval.ttl == 30


# A server that runs


@pytest.mark.anyio
async def test_a_running_server_heeds_a_stricter_file_at_its_next_order(write: Write) -> None:
    write(BASE)
    async with Runtime(load()) as runtime, Client(build_server(runtime)) as client:
        assert await call(client) == "accepted"
        write(f'{BASE}[instances.paper.limits]\nmax_order = {{USDT = "1"}}\n')
        assert await call(client) == "limit_exceeded"
        write(f"{BASE.replace('auto', 'approve')}[approval]\nwait = 0\n")
        assert await call(client, amount=0.002) == "awaiting_approval"
        write(BASE.replace("auto", "read-only"))
        assert await call(client, amount=0.003) == "read_only"
        assert "buy_limit" not in [tool.name for tool in (await client.list_tools()).tools]
        write(BASE)
        assert await call(client, amount=0.004) == "accepted"


@pytest.mark.anyio
async def test_what_was_approved_under_the_old_file_is_checked_by_the_new_one(write: Write) -> None:
    asking = BASE.replace("auto", "approve") + "[approval]\nwait = 0\n"
    write(asking)
    async with Runtime(load()) as runtime, Client(build_server(runtime)) as client:
        assert await call(client) == "awaiting_approval"
        write(f'{asking}[instances.paper.limits]\nmax_order = {{USDT = "1"}}\n')
        desk = await runtime.desk()
        (ticket,) = await desk.list()
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.VOID


@pytest.mark.anyio
@pytest.mark.parametrize("change", ['url = "http://127.0.0.1:1"\ntoken = "t-123456789"\n', "[half"])
async def test_a_ticket_waits_while_the_file_names_another_gunbot_or_cannot_be_read(write: Write, change: str) -> None:
    asking = "[approval]\nwait = 0\n" + BASE.replace("auto", "approve").replace('mode = "approve"\n', "")
    write(asking)
    async with Runtime(load()) as runtime, Client(build_server(runtime)) as client:
        assert await call(client) == "awaiting_approval"
        desk = await runtime.desk()
        write(asking + change)
        (ticket,) = await desk.list()
        with pytest.raises(ConfigInvalid):
            await desk.approve(ticket.id, by=TERMINAL)
        assert (await desk.get(ticket.id)).state is State.PENDING
        assert await call(client, amount=0.002) == "config_invalid"
        assert not (await client.call_tool("get_quote", {"exchange": "binance", "pair": "USDT-BTC"})).is_error
        write(asking)
        assert (await desk.approve(ticket.id, by=TERMINAL)).state is State.ACCEPTED


@pytest.mark.anyio
async def test_a_page_that_the_file_switches_off_is_no_longer_offered(write: Write) -> None:
    asking = BASE.replace("auto", "approve")
    write(f"{asking}[approval]\nwait = 0\npage_port = 0\n")
    async with Runtime(load(), page=approval_page) as runtime:
        assert await runtime.page_url() is not None
        write(f"{asking}[approval]\nwait = 0\npage_port = 0\npage = false\n")
        assert await runtime.page_url() is None


@pytest.mark.parametrize("nonsense", ["orders_per_day = 1" + "0" * 5000, "exchanges = " + "[" * 20_000])
def test_a_file_that_no_parser_understands_goes_on_stopping_everything_and_can_be_put_right(
    write: Write, nonsense: str
) -> None:
    good = '[instances.paper]\nmode = "auto"\n[instances.paper.limits]\n'
    write(good)
    rules = Rules(load())
    write(f"{good}{nonsense}\n")
    for _ in range(3):
        with pytest.raises(ConfigInvalid):
            rules.require()
    write(f"{good}\n")
    assert rules.require().effective_mode is Mode.AUTO
