"""What `doctor` says about the certificate and the login, before either bites; a fingerprint only to a human."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.certificates import Made, behind, make
from support.recorder import TOKEN
from support.terminals import Terminal

from gunbot_mcp.cli import run
from gunbot_mcp.cli.connection import login_rows
from gunbot_mcp.gunbot.expiry import Credential, Source

NOW = datetime(2026, 11, 27, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("source", "left", "well", "said"),
    [
        ("none", None, None, ""),
        ("token", None, True, "does not say until when"),
        ("token_file", 900 * DAY, True, "good until 2029-05-15, in 900 days"),
        ("token_keyring", 15 * DAY, True, "in 15 days"),
        ("token_file", 14 * DAY, None, "the token of token_file expires on 2026-12-11, in 14 days: copy"),
        ("token", 1.5 * DAY, None, "in 1 day: copy"),
        ("token_file", 0 * DAY, False, "expired on 2026-11-27: copy localStorage.jwtToken again"),
        ("token", -30 * DAY, False, "expired on 2026-10-28"),
        ("password", 1 * DAY, True, "is renewed by itself"),
    ],
)
def test_until_when_a_login_is_good_is_told_two_weeks_before_it_bites(
    source: Source, left: timedelta | None, *, well: bool | None, said: str
) -> None:
    rows = login_rows(Credential(source=source, expires_at=None if left is None else NOW + left), NOW)
    assert [(row[0], said in row[2]) for row in rows] == ([] if source == "none" else [(well, True)]), rows


def configure(monkeypatch: pytest.MonkeyPatch, folder: Path, **fields: object) -> None:
    lines = [f"{key} = {json.dumps(str(value))}" for key, value in fields.items()]
    (folder / "config.toml").write_text("[instances.gunbot]\n" + "\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(folder / "config.toml"))


def shown(terminal: Terminal) -> tuple[int, str]:
    code = terminal.end()
    return code, " ".join(terminal.shown.split())


def test_another_certificate_is_shown_to_a_human_at_a_terminal_and_to_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned, other = make(tmp_path / "a"), make(tmp_path / "b", common_name="other.example")
    with behind(other) as served:
        configure(monkeypatch, tmp_path, url=served.url, token=TOKEN, tls_fingerprint=pinned.fingerprint)
        code, said = shown(Terminal("doctor"))
        assert code == 1
        assert "another one than tls_fingerprint says" in said
        assert f'set tls_fingerprint = "{other.fingerprint}"' in said
        assert "for other.example" in said

        assert run(["doctor"]) == 1
        piped = " ".join("".join(capsys.readouterr()).split())
        assert "another one than tls_fingerprint says" in piped
        assert "run gunbot-mcp doctor in a terminal" in piped
        # A program may give itself a terminal, too.
        code, as_json = shown(Terminal("doctor", "--json"))
        assert code == 1
        assert "another one than tls_fingerprint says" in as_json
        for said in (piped, as_json):
            assert [part for part in (other.fingerprint[:11], "other.example", "eyJ") if part in said] == []
        assert served.requests == []


@pytest.mark.parametrize("known", [False, True])
def test_a_certificate_that_only_needs_its_key_is_told_so_and_a_good_one_with_its_last_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, known: bool
) -> None:
    made: Made = make(tmp_path / "tls", lasts=3 * DAY)
    trust = {"ca_file": made.certificate} | ({"tls_server_name": "localhost"} if known else {})
    with behind(made) as served:
        configure(monkeypatch, tmp_path, url=served.url, token=TOKEN, **trust)
        assert run(["doctor"]) == (0 if known else 1)
    said = " ".join(capsys.readouterr().out.split())
    if known:
        assert f"! TLS the certificate is trusted, by {made.certificate}, and it expires on" in said
        assert "→ renew it in time" in said
    else:
        assert "✗ TLS Gunbot's certificate is not for 127.0.0.1" in said


def test_doctor_tells_an_expiring_token_while_it_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claims = json.dumps({"exp": int((datetime.now(UTC) + 3 * DAY).timestamp())}).encode()
    token = f"eyJhbGciOiJIUzI1NiJ9.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2lnbmF0dXJl"
    made = make(tmp_path / "tls")
    with behind(made) as served:
        configure(monkeypatch, tmp_path, url=served.url, token=token, tls_fingerprint=made.fingerprint)
        assert run(["doctor"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "✓ login Gunbot accepts the token from the file ! the token of token expires on" in said
    assert "eyJ" not in said
