"""`doctor`: one screen, a mark and a next step for each finding, the whole as JSON; nothing that hangs delays it."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from cryptography import x509
from support.certificates import behind, make
from support.terminals import Terminal
from telling.services import service

from gunbot_mcp.approval.pin import set_pin
from gunbot_mcp.cli import run
from gunbot_mcp.cli.checkup.finding import Finding, Row, Status, examine, well
from gunbot_mcp.cli.checkup.patient import Patient
from gunbot_mcp.cli.checkup.rows import ROWS
from gunbot_mcp.cli.checkup.sources import origins
from gunbot_mcp.config import load
from gunbot_mcp.guard.halt import throw, users_switch
from gunbot_mcp.runtime import Runtime, state_folder
from gunbot_mcp.server.clients import ClientFacts, remember

if TYPE_CHECKING:
    from support.recorder import Recorder

Configured = Callable[[str], None]


@pytest.fixture
def live(recorder: "Recorder", monkeypatch: pytest.MonkeyPatch, token: str) -> "Recorder":
    """The recorder as the live Gunbot of the environment, with one pair that cycles, and a clock that is right."""
    monkeypatch.setenv("GUNBOT_URL", recorder.url)
    monkeypatch.setenv("GUNBOT_TOKEN", token)
    recorder.on("/coremem", recorder.json({"memory": {"binance/USDT-BTC": {"openOrders": []}}}))
    recorder.on("/time", recorder.json({"serverTime": int(datetime.now(UTC).timestamp() * 1000)}))
    return recorder


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configured:
    def write(text: str) -> None:
        (tmp_path / "config.toml").write_text(text, encoding="utf-8")
        monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(tmp_path / "config.toml"))

    return write


def examined(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the whole answer as JSON has it, its checks by name."""
    code = run(["doctor", "--json", *arguments])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, {**answer, "checks": {one["name"]: one for one in answer["checks"]}}


def too_long(terminal: Terminal, width: int) -> list[str]:
    """Return the lines that are too long; only a path that is longer than a line may stay whole."""
    return [line for line in terminal.lines if len(line) > width and not line[2:].lstrip("k ").startswith("state")]


def test_all_of_it_fits_on_one_screen() -> None:
    terminal = Terminal("doctor", columns=80)
    assert terminal.end() == 0
    assert len(terminal.lines) <= 25
    assert too_long(terminal, 80) == []
    marked = [line.split()[1] for line in terminal.lines if line[:1] in "✓!✗·"]
    assert marked == [row.name for row in ROWS if row.name != "notices"]  # nobody is to be told
    assert "\x1b[32m✓\x1b[0m gateway" in terminal.shown


@pytest.mark.slow
def test_a_narrow_terminal_has_the_same_words() -> None:
    wide, narrow = Terminal("doctor", columns=80), Terminal("doctor", columns=40)
    assert (wide.end(), narrow.end()) == (0, 0)
    assert too_long(narrow, 40) == []
    # The paper market moved in between, and nothing else.
    said = [re.sub(r"[\d.,]+", "", " ".join(" ".join(terminal.lines).split())) for terminal in (wide, narrow)]
    assert said[0] == said[1]


@pytest.mark.slow
def test_without_colours_and_marks_it_says_the_same_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    terminal = Terminal("doctor", columns=80)
    assert terminal.end() == 0
    assert "\x1b" not in terminal.shown
    assert "\nok   gateway" in terminal.shown
    assert "?" not in terminal.shown


def test_where_all_is_well_the_exit_code_and_json_say_so(live: "Recorder", capsys: pytest.CaptureFixture[str]) -> None:
    set_pin(state_folder(load()), "271828")
    code, answer = examined(capsys)
    assert (code, answer["well"], answer["live"], answer["mode"]) == (0, True, True, "approve")
    told = {name: check["status"] for name, check in answer["checks"].items()}
    assert {name for name, status in told.items() if status != "well"} == {"approval"}  # no client has connected yet
    assert answer["checks"]["login"]["says"] == "Gunbot accepts the token from GUNBOT_TOKEN"
    assert answer["checks"]["cycles"]["says"] == "1 pair: binance/USDT-BTC"
    assert answer["checks"]["market"]["says"] == "binance/USDT-BTC bid 49,999, ask 50,001"
    assert [path for path in live.paths(0) if "/trade/" in path] == []


def test_every_value_says_where_it_came_from(
    configured: Configured, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, clean_environment: Path
) -> None:
    configured(
        'mode = "approve"\n[approval]\nttl = 90\n[instances.a]\ntoken = "t-secret-secret"\n[instances.b.limits]\n'
        'pairs = ["binance/USDT-BTC"]\n'
    )
    monkeypatch.setenv("GUNBOT_MCP_APPROVAL_WAIT", "7")
    code, answer = examined(capsys, "--instance", "a")
    found = {one["key"]: (one["value"], one["from"]) for one in answer["settings"]}
    assert code == 0
    assert found["home"] == (str(clean_environment), "environment")
    assert found["instance"] == ("a", "flag")
    assert found["mode"] == ("approve", "file")
    assert found["approval.ttl"] == (90.0, "file")
    assert found["approval.wait"] == (7.0, "environment")
    assert found["approval.page"] == (True, "default")
    assert found["instances.a.token"] == ("(hidden)", "file")
    assert found["instances.a.limits.pairs"] == ([], "default")
    assert not [key for key in found if key.startswith("instances.b")]
    assert (
        "from the flag: instance; from the environment: GUNBOT_MCP_HOME, GUNBOT_MCP_APPROVAL_WAIT; "
        in (answer["checks"]["config"]["says"])
    )

    assert run(["doctor", "--settings", "--instance", "a"]) == 0
    table = capsys.readouterr().out
    assert re.search(r"^approval\.wait +GUNBOT_MCP_APPROVAL_WAIT +7\.0$", table, re.MULTILINE)
    assert re.search(r"^approval\.ttl +file +90\.0$", table, re.MULTILINE)
    assert "secret-secret" not in table


def test_read_only_is_told_as_said_by_the_source_that_said_it(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured('mode = "read-only"\n')
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    found = {one.key: one for one in origins(load(), {})}
    assert (found["mode"].value, found["mode"].source) == ("read-only", "file")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"GUNBOT_MCP_CONFIG": "/nowhere/config.toml"}, "cannot be read: /nowhere/config.toml"),
        ({"GUNBOT_URL": "https://gunbot.example"}, "instance 'gunbot' has a url but no token"),
    ],
    ids=["a file that is not there", "no token"],
)
def test_a_broken_config_is_a_finding_like_any_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, broken: dict[str, str], said: str
) -> None:
    for name, value in broken.items():
        monkeypatch.setenv(name, value)
    throw(users_switch(), "lunch")
    code, answer = examined(capsys)
    assert (code, answer["well"]) == (1, False)
    assert said in answer["checks"]["config"]["says"]
    assert answer["checks"]["config"]["next"]
    assert "lunch" in answer["checks"]["halt"]["says"]
    assert run(["doctor"]) == 1
    assert "✗ config" in capsys.readouterr().out


def test_a_file_that_the_config_names_and_nobody_can_read_is_a_finding_too(
    configured: Configured, capsys: pytest.CaptureFixture[str]
) -> None:
    configured('[instances.a]\nurl = "https://127.0.0.1:9"\ntoken_file = "/nowhere/token"\n')
    code, answer = examined(capsys)
    assert code == 1
    assert "/nowhere/token" in answer["checks"]["config"]["says"]


def test_a_gunbot_that_hangs_does_not_hang_doctor_and_the_rest_is_told(
    configured: Configured, recorder: "Recorder", capsys: pytest.CaptureFixture[str], token: str
) -> None:
    configured(f'[instances.a]\nurl = "{recorder.url}"\ntoken = "{token}"\nconnect_timeout = 0.2\nread_timeout = 0.3\n')
    recorder.on("*", recorder.raw(b"HTTP/1.1 200 OK\r\n", "hang"))
    began = time.monotonic()
    code, answer = examined(capsys)
    assert code == 1
    assert time.monotonic() - began < 20
    told = {name: check["status"] for name, check in answer["checks"].items()}
    assert told["gateway"] == "broken"
    assert {told[name] for name in ("TLS", "login", "clock", "cycles", "market")} <= {"skipped", "well"}
    assert told["ledger"] == told["tools"] == told["versions"] == "well"


async def _asked(rows: tuple[Row, ...]) -> list[tuple[str, Finding]]:
    settings = load(instances={"paper": {"connect_timeout": 0.1, "read_timeout": 0.1}})
    async with Runtime(settings) as runtime:
        return await examine(rows, Patient(settings, runtime, None, {}))


def test_each_row_has_a_deadline_of_its_own_and_all_are_asked_at_once() -> None:
    met = anyio.Event()

    async def hangs(patient: Patient) -> Finding:
        del patient
        met.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def waits(patient: Patient) -> Finding:
        del patient
        await met.wait()  # whoever asked one after the other would never come here
        return well("the other one was asked, too")

    async def fails(patient: Patient) -> Finding:
        raise PermissionError(13, "Permission denied", str(patient.settings.name))

    rows = (Row(name="a", look=waits, seconds=30), Row(name="b", look=hangs, seconds=0.4), Row(name="c", look=fails))
    found = anyio.run(_asked, rows)
    assert [(name, finding.status) for name, finding in found] == [
        ("a", Status.WELL),
        ("b", Status.BROKEN),
        ("c", Status.BROKEN),
    ]
    assert found[1][1].says == "no answer within 0.4 s"
    assert found[2][1].says == "Permission denied: paper"


def test_a_slow_machine_is_not_taken_for_a_silent_gunbot() -> None:
    async def slow(patient: Patient) -> Finding:
        await anyio.sleep(3 * patient.patience)
        return well("in the end")

    [(_, finding)] = anyio.run(_asked, (Row(name="a", look=slow),))
    assert finding.status is Status.WELL


def test_a_login_that_gunbot_refuses_is_told_once_and_with_its_next_step(
    live: "Recorder", capsys: pytest.CaptureFixture[str], token: str
) -> None:
    live.on("*", live.json({"status": "error", "message": f"no, {token}\x1b[2J"}, 401))
    code, answer = examined(capsys)
    checks = answer["checks"]
    assert code == 1
    assert checks["gateway"]["status"] == "well"
    assert checks["login"]["status"] == "broken"
    assert "GUNBOT_TOKEN" in checks["login"]["says"]
    assert "copy a fresh token" in checks["login"]["next"]
    assert checks["market"] == {
        "name": "market",
        "status": "skipped",
        "says": "not asked: Gunbot does not accept the login",
        "next": None,
    }
    assert token not in json.dumps(answer)
    assert run(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert token not in shown


def test_a_certificate_that_is_not_trusted_is_tls_s_finding_with_the_next_step(
    configured: Configured, tls_recorder: "Recorder", capsys: pytest.CaptureFixture[str], token: str
) -> None:
    configured(f'[instances.a]\nurl = "{tls_recorder.url}"\ntoken = "{token}"\n')
    code, answer = examined(capsys)
    assert code == 1
    assert answer["checks"]["TLS"]["status"] == "broken"
    assert "self-signed" in answer["checks"]["TLS"]["says"]
    assert answer["checks"]["TLS"]["next"]
    assert answer["checks"]["login"]["status"] == "skipped"


@pytest.mark.parametrize(
    ("days", "status", "until", "then"),
    [(400, "well", "valid until", None), (3, "note", "and it expires on", "renew it in time")],
)
def test_a_certificate_that_is_trusted_says_by_what_and_until_when(
    configured: Configured,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    token: str,
    *,
    days: int,
    status: str,
    until: str,
    then: str | None,
) -> None:
    made = make(tmp_path / "tls", address="127.0.0.1", lasts=timedelta(days=days))
    last_day = x509.load_pem_x509_certificate(made.certificate.read_bytes()).not_valid_after_utc
    with behind(made) as served:
        configured(f'[instances.a]\nurl = "{served.url}"\ntoken = "{token}"\nca_file = "{made.certificate}"\n')
        _, answer = examined(capsys)
    assert answer["checks"]["TLS"] == {
        "name": "TLS",
        "status": status,
        "says": f"the certificate is trusted, by {made.certificate}, {until} {last_day:%Y-%m-%d}",
        "next": then,
    }
    assert answer["checks"]["login"]["says"] == "Gunbot accepts the token from the file"


@pytest.mark.parametrize(
    ("off", "status", "word"), [(0, "well", "agree"), (-90, "note", "behind"), (3600, "note", "ahead of")]
)
def test_clocks_that_differ_are_told_with_the_direction(
    live: "Recorder", capsys: pytest.CaptureFixture[str], off: int, status: str, word: str
) -> None:
    at = datetime.now(UTC) + timedelta(seconds=off)
    live.on("/time", live.json({"serverTime": int(at.timestamp() * 1000)}))
    code, answer = examined(capsys)
    assert (code, answer["checks"]["clock"]["status"]) == (0, status)
    assert word in answer["checks"]["clock"]["says"]


def test_every_pair_that_the_limits_name_is_asked_for_and_one_without_a_book_says_what_to_do(
    configured: Configured, live: "Recorder", capsys: pytest.CaptureFixture[str]
) -> None:
    configured(
        '[instances.gunbot.limits]\nexchanges = ["binance"]\npairs = ["USDT-BTC", "binance/USDT-NOPE", "*-ETH"]\n'
    )
    live.on("/market/orderbook", live.json({"data": {"ask": [[2, 1]], "bid": [[1, 1]]}}), live.json({"data": {}}))
    code, answer = examined(capsys)
    assert code == 0
    market = answer["checks"]["market"]
    assert sorted(part["says"].split()[0].rstrip(":") for part in market["parts"]) == [
        "binance/USDT-BTC",
        "binance/USDT-NOPE",
    ]
    assert (market["status"], sorted(part["status"] for part in market["parts"])) == ("note", ["note", "well"])
    assert next(part["next"] for part in market["parts"] if part["status"] == "note")


def test_limits_that_allow_nothing_of_what_cycles_are_worth_knowing(
    configured: Configured, live: "Recorder", capsys: pytest.CaptureFixture[str]
) -> None:
    configured('[instances.gunbot.limits]\npairs = ["USDT-DOGE"]\n')
    assert "/coremem" not in live.paths(0)
    code, answer = examined(capsys)
    assert (code, answer["checks"]["cycles"]["status"]) == (0, "note")
    assert answer["checks"]["cycles"]["says"] == "1 pair, and the limits allow none of them"
    assert answer["checks"]["market"]["status"] == "skipped"


def _seen(name: str, *, forms: bool = False) -> None:
    remember(load(), ClientFacts(name=name, version="", protocol="x", shows_forms=forms, shows_card=False))


@pytest.mark.usefixtures("live")
def test_without_a_pin_every_sentence_makes_sense(capsys: pytest.CaptureFixture[str]) -> None:
    _seen("plain")
    _seen("able", forms=True)
    code, answer = examined(capsys)
    parts = answer["checks"]["approval"]["parts"]
    assert code == 0
    assert [(part["status"], part["says"].partition("): ")[2], part["next"]) for part in parts] == [
        ("well", "asked in its form first; nowhere else until a PIN is set", None),
        ("note", "its human can approve nothing until a PIN is set", "gunbot-mcp pin"),
    ]
    assert answer["checks"]["PIN"]["next"] == "gunbot-mcp pin"


def test_many_clients_leave_the_screen_readable_and_json_has_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(12):
        _seen(f"client-{number}")
    _, answer = examined(capsys)
    assert len(answer["checks"]["approval"]["parts"]) == 12
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert re.findall(r"client-\d+", shown) == ["client-11", "client-10", "client-9"]
    assert "and 9 more: --json shows them" in shown


def test_a_token_is_named_by_where_it_stands(
    configured: Configured, recorder: "Recorder", capsys: pytest.CaptureFixture[str], tmp_path: Path, token: str
) -> None:
    (tmp_path / "token").write_text(token, encoding="utf-8")
    (tmp_path / "token").chmod(0o600)
    configured(f'[instances.a]\nurl = "{recorder.url}"\ntoken_file = "{tmp_path}/token"\n')
    _, answer = examined(capsys)
    assert answer["checks"]["login"]["says"] == f"Gunbot accepts the token in {tmp_path}/token"
    configured(f'[instances.a]\nurl = "{recorder.url}"\npassword = "hunter2222"\nwallet = "{"0x" + "1" * 40}"\n')
    _, answer = examined(capsys)
    assert answer["checks"]["login"]["says"] == "Gunbot accepts the password from the file"
    assert "hunter2222" not in json.dumps(answer)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # by Apprise's use of the library
def test_a_test_notice_goes_to_every_address_if_asked_and_names_none_of_them(
    configured: Configured, capsys: pytest.CaptureFixture[str]
) -> None:
    with service() as (port, heard):
        address = f"json://127.0.0.1:{port}/hush-hush-topic"
        configured(f'[approval]\nnotify = ["{address}", "nonsense://hush-hush-topic"]\n')
        code, answer = examined(capsys)
        assert (code, heard) == (0, [])
        assert answer["checks"]["notices"]["says"].startswith("to json, nonsense; ")
        code, answer = examined(capsys, "--notify")
    assert code == 1
    assert answer["checks"]["notices"]["says"] == "a test was handed over to 1 of 2 addresses"
    assert [part["says"].partition(":")[0] for part in answer["checks"]["notices"]["parts"]] == ["address 2 (nonsense)"]
    assert len(heard) == 1
    assert "hush-hush" not in json.dumps(answer)


def test_a_test_notice_without_an_address_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = examined(capsys, "--notify")
    assert (code, answer["checks"]["notices"]["status"]) == (0, "note")
    assert "approval.notify" in answer["checks"]["notices"]["next"]
