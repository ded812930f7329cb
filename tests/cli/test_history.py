"""`gunbot-mcp history …`: fetch, look, compare, write to a file, tidy up."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from history.generator import account, write
from support.live import TOKEN, LiveGunbot, serving

from gunbot_mcp.cli import run
from gunbot_mcp.cli.history import COMMANDS, history
from gunbot_mcp.cli.lazy import Lazy
from gunbot_mcp.paper.app import PaperGateway

KEYS = ("binance/USDT-BTC", "bybit/USDT-BTC-LONG")
Said = Callable[[], str]


@pytest.fixture
def gunbot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveGunbot]:
    made = account(2, records=120)
    write({key: made[key] for key in KEYS}, tmp_path / "made.jsonl")
    gateway = PaperGateway(token=TOKEN, market="manual", orders=tmp_path / "made.jsonl")
    with serving(LiveGunbot(_gateway=gateway)) as running:
        monkeypatch.setenv("GUNBOT_URL", running.url)
        monkeypatch.setenv("GUNBOT_TOKEN", TOKEN)
        yield running


def test_every_command_is_loaded_when_it_is_called() -> None:
    assert isinstance(history, Lazy)
    assert set(COMMANDS) >= {"status", "sync", "verify", "export", "prune"}


def test_a_sync_says_what_is_here_and_a_second_one_reads_little(
    gunbot: LiveGunbot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["history", "sync"]) == 0
    first = capsys.readouterr().out
    before = gunbot.requests
    assert run(["history", "sync", "--json", *KEYS]) == 0
    second = json.loads(capsys.readouterr().out)["coverage"]

    assert "40 records of" in first
    assert "complete" in first
    assert [(one["key"], one["records"], one["complete"]) for one in second["keys"]] == [
        (key, 20, True) for key in KEYS
    ]
    assert gunbot.requests - before == len(KEYS)


def test_an_export_holds_every_digit_and_replaces_nothing_unasked(
    gunbot: LiveGunbot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del gunbot
    target = tmp_path / "orders.csv"

    assert run(["history", "export", "--to", str(target), *KEYS]) == 0
    assert run(["history", "export", "--to", str(target), *KEYS]) == 1
    assert "--replace" in capsys.readouterr().err
    assert run(["history", "export", "--to", str(tmp_path / "orders.xlsx")]) == 1
    assert run(["history", "export", "--to", str(tmp_path / "orders.parquet"), "--replace", *KEYS]) == 0

    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    made = account(2, records=120)
    expected = sorted((record["time"], str(record["id"])) for key in KEYS for record in made[key])
    assert sorted((int(row["time_ms"]), row["id"]) for row in rows) == expected
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(file.suffix for file in tmp_path.glob("orders.*")) == [".csv", ".parquet"]


def test_verify_finds_a_damaged_file_puts_it_right_and_says_so(
    gunbot: LiveGunbot, clean_environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del gunbot
    assert run(["history", "sync", *KEYS]) == 0
    assert run(["history", "verify", *KEYS]) == 0
    file = next((clean_environment / "history").rglob("*.parquet"))
    file.write_bytes(bytes(file.stat().st_size))
    capsys.readouterr()

    assert run(["history", "verify", *KEYS]) == 1
    assert "1 files of the mirror were damaged" in capsys.readouterr().out
    assert run(["history", "verify", *KEYS]) == 0

    assert run(["history", "prune", "--yes"]) == 0
    assert "set aside" in capsys.readouterr().out
    assert not list((clean_environment / "history").rglob("aside/*"))


def test_status_asks_nobody_and_tells_size_and_age(gunbot: LiveGunbot, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", "sync", *KEYS]) == 0
    before = gunbot.requests
    capsys.readouterr()

    assert run(["history", "status"]) == 0
    shown = capsys.readouterr().out
    assert run(["history", "status", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)

    assert gunbot.requests == before
    assert "40 records of 2 keys" in shown
    assert "kB  read 20" in shown
    assert [one["records"] for one in facts["keys"]] == [20, 20]
    assert facts["bytes"] > 0


def test_prune_removes_what_counts_only_where_it_is_named(
    gunbot: LiveGunbot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["history", "sync", *KEYS]) == 0
    assert run(["history", "prune"]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    # Without a terminal nobody can say yes; a key that is not held is named.
    assert run(["history", "prune", "--key", KEYS[0]]) == 1
    assert run(["history", "prune", "--key", "kraken/EUR-XXX", "--yes"]) == 1
    assert run(["history", "prune", "--key", KEYS[0], "--yes"]) == 0
    capsys.readouterr()
    assert run(["history", "status"]) == 0
    assert "20 records of 1 keys" in capsys.readouterr().out
    # Another Gunbot's mirror is not used, and can go.
    monkeypatch.setenv("GUNBOT_URL", gunbot.url.replace("127.0.0.1", "localhost"))
    assert run(["history", "status"]) == 0
    assert "another Gunbot" in capsys.readouterr().out
    assert run(["history", "prune", "--yes"]) == 0
    assert run(["history", "status"]) == 0
    assert "can go" not in capsys.readouterr().out.partition("\n")[0]


def test_a_gunbot_that_is_away_is_said_and_the_mirror_still_answers(
    gunbot: LiveGunbot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["history", "sync", *KEYS]) == 0
    monkeypatch.setenv("GUNBOT_TOKEN", "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoib3RoZXIifQ.c2lnbmF0dXJl")
    capsys.readouterr()

    assert run(["history", "export", "--to", str(tmp_path / "old.csv"), *KEYS]) == 1

    said = capsys.readouterr().out
    assert "unauthorized" in said
    assert "last read" in said
    assert "40 orders written" in said
    del gunbot


def test_people_ask_and_draw_what_assistants_do(
    gunbot: LiveGunbot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del gunbot
    assert run(["history", "analyze", KEYS[0], "--group-by", "side", "--metrics", "count", "--metrics", "fees"]) == 0
    analyzed = capsys.readouterr().out
    assert run(["history", "analyze", "--json", "--since", "all", "--metrics", "count", *KEYS]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert run(["history", "query", "SELECT key, count(*) AS n FROM orders GROUP BY ALL ORDER BY ALL"]) == 0
    queried = capsys.readouterr().out
    target = tmp_path / "pnl.png"
    assert run(["history", "chart", "pnl", "--since", "all", "--to", str(target)]) == 0
    drawn = capsys.readouterr().out

    assert analyzed.startswith("Covers 1 of 1 key, 20 records")
    assert "side  count" in analyzed
    assert facts["totals"]["USDT"]["count"] == 40
    assert f"{KEYS[0]}" in queried
    assert f"{KEYS[1]}" in queried
    assert "time" in drawn
    assert target.read_bytes().startswith(b"\x89PNG")
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_drawing_can_be_an_svg_and_replaces_nothing_unasked(gunbot: LiveGunbot, tmp_path: Path) -> None:
    del gunbot
    target = tmp_path / "days.svg"
    ask = ["history", "chart", "days", "--since", "all", "--to"]

    assert run([*ask, str(target)]) == 0
    assert run([*ask, str(target)]) == 1
    assert run([*ask, str(target), "--replace"]) == 0
    assert run([*ask, str(tmp_path / "days.pdf")]) == 1

    assert target.read_text().startswith("<svg")
    assert [file.name for file in tmp_path.glob("*days*")] == ["days.svg"]


def test_a_question_that_cannot_be_answered_says_why_and_what_next(
    gunbot: LiveGunbot, capsys: pytest.CaptureFixture[str]
) -> None:
    del gunbot
    assert run(["history", "query", "SELECT nothing FROM orders"]) == 1
    assert run(["history", "analyze", "--timezone", "Mars/Olympus"]) == 1

    said = capsys.readouterr().err
    assert "nothing" in said
    assert "for example Europe/Berlin" in said
    assert "Traceback" not in said


def test_ctrl_c_ends_a_question_at_once_without_a_traceback(clean_environment: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        environment = {**os.environ, "GUNBOT_URL": f"http://127.0.0.1:{port}", "GUNBOT_TOKEN": TOKEN}
        command = [sys.executable, "-m", "gunbot_mcp", "history", "analyze", *KEYS]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as asking:
            silent.settimeout(60)
            asked, _ = silent.accept()
            with asked:
                asking.send_signal(signal.SIGINT)
                _, said = asking.communicate(timeout=30)

    assert asking.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert not list((clean_environment / "history").rglob("*draft*"))


def test_matched_lots_are_checked_told_and_can_go(
    gunbot: LiveGunbot, clean_environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del gunbot
    assert run(["history", "analyze", *KEYS]) == 0
    assert run(["history", "status"]) == 0
    for file in (clean_environment / "history").rglob("matched/*.parquet"):
        file.write_bytes(b"no lots")
    assert run(["history", "verify", *KEYS]) == 1
    assert run(["history", "verify", *KEYS]) == 0
    assert "could not be read and are removed" in capsys.readouterr().out
    assert run(["history", "analyze", *KEYS]) == 0
    assert run(["history", "prune", "--yes"]) == 0
    assert "matched lots" in capsys.readouterr().out
    assert run(["history", "status"]) == 0
    assert "can go" not in capsys.readouterr().out
