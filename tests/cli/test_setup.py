"""`gunbot-mcp setup`: each answer is tried with a real Gunbot, and at the end there is a config that works, or none."""

import json
import os
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.certificates import behind, make
from support.keyrings import FILE, InAFile
from support.recorder import TOKEN, Recorder
from support.terminals import Terminal

from gunbot_mcp.approval.pin import check_pin
from gunbot_mcp.cli import run
from gunbot_mcp.config import load

ENABLED = {"binance": {"USDT-BTC": {"enabled": True}, "BTC-ETH": {"enabled": "true"}, "USDT-XRP": {"enabled": False}}}
NO = {"status": "error", "message": "Authentication required", "code": 401}


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the config is to be; nothing else of the user's leads anywhere."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path / "settings/gunbot-mcp/config.toml"


@pytest.fixture
def gunbot(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """A Gunbot that the environment names, as a user of earlier releases has it."""
    as_gunbot(recorder)
    monkeypatch.setenv("GUNBOT_URL", recorder.url)
    monkeypatch.setenv("GUNBOT_TOKEN", TOKEN)
    return recorder


def as_gunbot(recorder: Recorder) -> None:
    recorder.on("/coremem", recorder.json({"memory": {}, "config": ENABLED}))
    recorder.on("/pairs", recorder.json({"status": "success", "pairList": ["USDT-BTC", "BTC-ETH"]}))


def served(target: Path, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - its settings
    """Return the settings that the config alone makes."""
    for name in ("GUNBOT_URL", "GUNBOT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(target))
    return load()


def private(*files: Path) -> bool:
    return {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_human_sets_up_a_gunbot_with_a_certificate_of_its_own_and_gets_to_a_client(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make(tmp_path / "tls")
    with behind(made) as gunbot:
        as_gunbot(gunbot)
        terminal = Terminal("setup")
        terminal.answer("paper to practise without one", f"{gunbot.url}/#/dashboard")
        terminal.answer("paper to practise without one", gunbot.url.removeprefix("https://"))
        terminal.answer("Trust it from now on, and no other? [Y/n]", "")
        # Without a token so far, nor anything else but a greeting.
        assert {request.headers.get("authorization") for request in gunbot.requests} == {None} or not gunbot.requests
        terminal.answer("Log in by token, password", "")
        terminal.answer("(not shown): ", f"Bearer {TOKEN}")
        terminal.answer("Log in by token, password", "")
        terminal.answer("(not shown): ", f'"{TOKEN}"')
        terminal.answer("all [binance/USDT-BTC, binance/BTC-ETH]: ", "binance/BTC-USDT")
        terminal.answer("all [binance/USDT-BTC, binance/BTC-ETH]: ", "binance/USDT-BTC")
        terminal.answer("one order may cost, in USDT [250]: ", "a lot")
        terminal.answer("one order may cost, in USDT [250]: ", "2000")
        terminal.answer("of a day may cost, in USDT [8000]: ", "100")
        terminal.answer("of a day may cost, in USDT [8000]: ", "3000")
        terminal.answer(f"Write this to {target}? [Y/n]", "")
        terminal.answer("Set the PIN now?", "")
        terminal.answer("New PIN", "1234")
        terminal.answer("Repeat", "1234")
        terminal.answer("New PIN", "271828")
        terminal.answer("Repeat", "271828")
        terminal.answer("to a client now?", "cursor")
        assert terminal.end() == 0, terminal.shown

        said = " ".join(terminal.shown.split())
        for told in (
            f"is a page of Gunbot's GUI; its address alone is {gunbot.url}",
            f"It shows SHA-256 {made.fingerprint}, for localhost",
            "holds a whole header",
            "it is binance/USDT-BTC",
            "binance/USDT-BTC: bid 49,999, ask 50,001",
            "a lot is no amount",
            "less than one order may cost",
            "a PIN has 6 to 64 characters",
            "gunbot (LIVE) is in",
        ):
            assert told in said
        assert [secret for secret in ("eyJ", "1234", "271828") if secret in said] == []

        settings = served(target, monkeypatch)
        assert settings.served.secret() == TOKEN
        assert settings.served.tls_fingerprint == made.fingerprint
        assert settings.served.limits.pairs == ["binance/USDT-BTC"]
        assert {str(one) for one in settings.served.limits.max_order.values()} == {"2000"}
        assert private(target, target.with_name("gunbot.token"))
        assert TOKEN not in target.read_text(encoding="utf-8")
        assert check_pin(settings.folder, "271828")
        entry = json.loads((Path(os.environ["HOME"]) / ".cursor/mcp.json").read_text(encoding="utf-8"))
        assert entry["mcpServers"]["gunbot"]["env"]["GUNBOT_MCP_CONFIG"] == str(target)

        capsys.readouterr()
        assert run(["doctor"]) == 0, capsys.readouterr().out
        assert "the certificate is the one of tls_fingerprint" in capsys.readouterr().out


@pytest.mark.slow
def test_a_human_logs_in_by_password_and_a_wrong_one_is_asked_for_again(
    recorder: Recorder, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_gunbot(recorder)
    good = recorder.json({"status": "success", "token": TOKEN})
    recorder.on("/auth/login", recorder.json({"status": "error", "message": "hunter1 is wrong"}, 401), good)
    terminal = Terminal("setup", "--config", str(target))
    terminal.answer("paper to practise", recorder.url)
    for password in ("hunter1", "hunter2"):
        terminal.answer("Log in by token, password", "password")
        terminal.answer("password (not shown)", password)
        terminal.answer("config.js (not shown)", "0123456789abcdef-and-more")
    terminal.answer("or all [", "all")
    terminal.answer("one order may cost, in USDT", "")
    terminal.answer("of a day may cost, in USDT", "")
    terminal.answer("Write this to", "")
    terminal.answer("Set the PIN now?", "n")
    terminal.answer("to a client now?", "")
    assert terminal.end() == 0, terminal.shown

    assert "does not accept the password" in terminal.shown
    for secret in ("hunter", "0123456789abcdef", "eyJ", "ENC:"):
        assert secret not in terminal.shown
    settings = served(target, monkeypatch)
    assert settings.served.password.get_secret_value() == "hunter2"
    assert settings.served.limits.pairs == []
    assert "BTC" in settings.served.limits.max_order
    assert private(target)
    assert [file.name for file in target.parent.iterdir()] == ["config.toml"]


@pytest.mark.slow
def test_a_human_keeps_the_token_in_the_keyring_and_another_one_there_is_not_overwritten(
    gunbot: Recorder, target: Path, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "tests")]))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "support.keyrings.InAFile")
    monkeypatch.setenv(FILE, str(tmp_path / "keyring.json"))
    InAFile().put("gunbot-mcp/gunbot", "of-another-gunbot")
    terminal = Terminal("setup")
    terminal.answer("paper to practise", "")
    terminal.answer("Log in by token, password, keyring", "keyring")
    terminal.answer("empty: the one in GUNBOT_TOKEN): ", "")
    for prompt in ("or all [", "cost, in USDT", "day may cost, in USDT", "cost, in BTC", "day may cost, in BTC"):
        terminal.answer(prompt, "")
    terminal.answer("Write this to", "")
    terminal.answer("Set the PIN now?", "n")
    terminal.answer("to a client now?", "")
    assert terminal.end() == 0, terminal.shown

    assert "eyJ" not in terminal.shown + target.read_text(encoding="utf-8")
    assert served(target, monkeypatch).served.token_keyring == "gunbot-mcp/gunbot-2"
    held = json.loads((tmp_path / "keyring.json").read_text(encoding="utf-8"))
    assert held == {"gunbot-mcp/gunbot": "of-another-gunbot", "gunbot-mcp/gunbot-2": TOKEN}
    assert [file.name for file in target.parent.iterdir()] == ["config.toml"]
    assert gunbot.trades == []


@pytest.mark.parametrize("leaves_at", ["Log in by", pytest.param("Write this to", marks=pytest.mark.slow)])
def test_a_human_who_leaves_half_way_leaves_nothing_behind(
    leaves_at: str, gunbot: Recorder, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GUNBOT_TOKEN")
    terminal = Terminal("setup")
    for prompt, typed in (
        ("paper to practise", ""),
        ("Log in by", ""),
        ("(not shown): ", TOKEN),
        ("or all [", ""),
        ("one order may cost, in USDT", ""),
        ("of a day may cost, in USDT", ""),
        ("one order may cost, in BTC", ""),
        ("of a day may cost, in BTC", ""),
        ("Write this to", ""),
    ):
        leaves = prompt == leaves_at
        terminal.answer(prompt, "\x04" if leaves else typed)
        if leaves:
            break
    assert terminal.end() == 130
    assert "Nothing was written." in terminal.shown
    assert not target.parent.exists()
    assert gunbot.trades == []


def test_without_a_terminal_setup_refuses_to_guess_unless_told_to(
    target: Path, command: list[str], child_environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [*command, "setup"], input="\n" * 20, capture_output=True, text=True, env=child_environment, check=False
    )
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert not target.parent.exists()


def test_yes_on_a_fresh_machine_is_paper(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["setup", "--yes"]) == 0
    assert "paper to practise without one: paper" in capsys.readouterr().out
    settings = served(target, monkeypatch)
    assert (settings.name, settings.served.live, private(target)) == ("paper", False, True)


def test_yes_takes_the_environments_gunbot_and_tells_what_only_a_human_can_do(
    gunbot: Recorder, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["setup", "--yes"]) == 0
    said = capsys.readouterr()
    assert "needs a PIN, which only you set" in said.out
    assert "GUNBOT_URL, GUNBOT_TOKEN in this shell would win" in said.out
    assert "eyJ" not in said.out + said.err
    assert os.environ["GUNBOT_URL"] == gunbot.url
    settings = served(target, monkeypatch)
    assert (settings.served.url, settings.served.secret()) == (gunbot.url, TOKEN)
    assert settings.served.limits.pairs == ["binance/USDT-BTC", "binance/BTC-ETH"]
    assert {asset: str(most) for asset, most in settings.served.limits.max_order.items()} == {
        "USDT": "250",
        "BTC": "0.005",
    }
    assert gunbot.trades == []


OLD = """# My own words.
instance = "mine"
[instances.mine]
url = "URL"
token_file = "TOKEN"
read_timeout = 7
[instances.mine.limits]
max_order = { USDT = "33" }
pairs = ["binance/USDT-BTC"]
fee_percent = "0.2"
[instances.mine.contracts]
"okex5/USDT-DOGE-LONG" = "1000"
[instances.paper]
market = "manual"
[approval]
ttl = 90
[capabilities]
binanceus = ["oco"]
"""


def test_a_config_that_is_there_gives_the_defaults_is_copied_and_keeps_everything_else(
    gunbot: Recorder, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GUNBOT_URL")
    monkeypatch.delenv("GUNBOT_TOKEN")
    target.parent.mkdir(parents=True)
    held = target.with_name("held")
    held.touch(0o600)
    held.write_text(TOKEN, encoding="utf-8")
    text = OLD.replace("URL", gunbot.url).replace("TOKEN", str(held))
    target.write_text(text, encoding="utf-8")
    assert run(["setup", "--yes"]) == 0
    copies = list(target.parent.glob("config.toml.before-*"))
    assert [copy.read_text(encoding="utf-8") for copy in copies] == [text]
    assert str(copies[0]) in capsys.readouterr().out
    assert private(target, *copies)

    before, after = tomllib.loads(text), tomllib.loads(target.read_text(encoding="utf-8"))
    before["instances"]["mine"]["mode"] = "approve"
    before["instances"]["mine"]["limits"]["max_day"] = {"USDT": "1000"}
    assert after == before
    assert served(target, monkeypatch).served.secret() == TOKEN
    assert not target.with_name("mine.token").exists()


def test_a_new_token_never_overwrites_one_that_the_old_config_still_names(
    gunbot: Recorder, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["setup", "--yes"]) == 0
    assert gunbot.url in target.read_text(encoding="utf-8")
    monkeypatch.setenv("GUNBOT_TOKEN", "another-token-1")
    assert run(["setup", "--yes"]) == 0
    held = {file.name: file.read_text(encoding="utf-8").strip() for file in target.parent.glob("*.token")}
    assert held == {"gunbot.token": TOKEN, "gunbot-2.token": "another-token-1"}
    monkeypatch.setenv("GUNBOT_TOKEN", TOKEN)
    assert run(["setup", "--yes"]) == 0
    assert served(target, monkeypatch).served.secret() == TOKEN
    assert len(list(target.parent.glob("*.token"))) == 2


@pytest.mark.parametrize("broken", [b"[half", b"nonsense = 1\n", b"\xff\xfe\x00", b"instances = 1\n"])
def test_a_config_that_cannot_be_used_is_kept_and_a_new_one_begun(
    broken: bytes, gunbot: Recorder, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(broken)
    assert run(["setup", "--yes"]) == 0
    assert "cannot be used" in capsys.readouterr().out
    assert [copy.read_bytes() for copy in target.parent.glob("config.toml.before-*")] == [broken]
    assert served(target, monkeypatch).served.url == gunbot.url


# What leaves everything as it was


@pytest.fixture
def untouched(target: Path) -> Iterator[bytes]:
    """A config that is there, and must still be there afterwards, alone."""
    target.parent.mkdir(parents=True)
    content = b"# mine\n[instances.paper]\nseed = 3\n"
    target.write_bytes(content)
    yield content
    assert target.read_bytes() == content
    assert [file.name for file in target.parent.iterdir()] == ["config.toml"]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("wrong", ["token", "nobody", "page", "no token", "plain http"])
def test_what_does_not_work_ends_with_the_next_step_and_nothing_written(
    wrong: str, gunbot: Recorder, refusing_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {
        "token": "does not accept the token",
        "nobody": "cannot be reached",
        "page": "a page of Gunbot's GUI",
        "no token": "set GUNBOT_TOKEN",
        "plain http": "give an https address",
    }
    if wrong == "token":
        gunbot.on("/auth/status", gunbot.json(NO, 401))
    elif wrong == "no token":
        monkeypatch.delenv("GUNBOT_TOKEN")
    elif wrong != "plain http":
        monkeypatch.setenv("GUNBOT_URL", refusing_url if wrong == "nobody" else f"{gunbot.url}/#/dashboard")
    else:
        # A name that leads here, as far as the system is concerned, and is not this machine's own.
        monkeypatch.setenv("GUNBOT_URL", gunbot.url.replace("127.0.0.1", "0.0.0.0"))
    assert run(["setup", "--yes"]) == 1
    said = capsys.readouterr()
    assert expected[wrong] in said.err
    assert "Nothing was written." in said.err
    assert "eyJ" not in said.out + said.err


def test_a_config_that_another_program_wrote_meanwhile_is_left_alone_and_the_token_is_not_left_lying(
    gunbot: Recorder, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target.parent.mkdir(parents=True)

    def theirs() -> None:
        target.write_text("# theirs\n", encoding="utf-8")

    gunbot.when("/market/orderbook", theirs)
    assert run(["setup", "--yes"]) == 1
    assert "changed by another program" in capsys.readouterr().err
    assert target.read_text(encoding="utf-8") == "# theirs\n"
    assert [file.name for file in target.parent.iterdir()] == ["config.toml"]


def test_a_pinned_certificate_that_changed_is_not_trusted_by_yes_and_not_shown_to_a_program(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = make(tmp_path / "a"), make(tmp_path / "b")
    monkeypatch.setenv("GUNBOT_TOKEN", TOKEN)
    with behind(first) as gunbot:
        as_gunbot(gunbot)
        monkeypatch.setenv("GUNBOT_URL", gunbot.url)
        assert run(["setup", "--yes"]) == 0
    before = target.read_bytes()
    assert first.fingerprint in before.decode()
    with behind(second) as other:
        monkeypatch.setenv("GUNBOT_URL", other.url)
        assert run(["setup", "--yes"]) == 1
        assert other.requests == []
    said = capsys.readouterr()
    assert "not trusted" in said.err
    assert second.fingerprint not in said.out + said.err
    assert target.read_bytes() == before


def test_a_link_stays_a_link(gunbot: Recorder, target: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("", encoding="utf-8")
    target.parent.mkdir(parents=True)
    target.symlink_to(real)
    assert run(["setup", "--yes"]) == 0
    assert target.is_symlink()
    assert gunbot.url in real.read_text(encoding="utf-8")
