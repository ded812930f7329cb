"""Until when a token is good is read from the token itself, before it bites, and nothing of the token is shown."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recorder import recording

from gunbot_mcp.config import Instance
from gunbot_mcp.errors import Unauthorized
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.expiry import Credential, credential

if TYPE_CHECKING:
    from support.recorder import Recorder

NOW = datetime(2026, 11, 27, tzinfo=UTC)
NO = '{"status": "error", "message": "Authentication required", "code": 401}'


def web_token(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl"


def of(token: str) -> Credential:
    return credential(Instance.model_validate({"url": "https://host", "token": token}), token)


def test_the_tokens_own_times_are_read_in_seconds_and_in_milliseconds() -> None:
    at, until = int(NOW.timestamp()), int((NOW + timedelta(days=900)).timestamp())
    expected = Credential(source="token", issued_at=NOW, expires_at=NOW + timedelta(days=900))
    assert of(web_token({"iat": at, "exp": until})) == expected
    assert of(web_token({"iat": at * 1000, "exp": until * 1000})) == expected
    assert expected.left(NOW) == timedelta(days=900)
    assert expected.left(NOW + timedelta(days=901)) == timedelta(days=-1)


@pytest.mark.parametrize(
    "exp", [None, "tomorrow", True, [], {}, -1e300, 1e300, float("inf"), float("nan"), 10**400, "1731617894"]
)
def test_a_time_that_is_none_is_not_said_to_be_one(exp: object) -> None:
    token = web_token({"exp": exp})
    assert of(token) == Credential(source="token")
    assert of(token).left(NOW) is None


@given(st.text() | st.builds(web_token, st.recursive(st.none() | st.integers() | st.floats(), st.lists)))
def test_whatever_a_token_is_reading_it_never_fails(token: str) -> None:
    assert of(token).expires_at is None


@pytest.mark.parametrize("body", ["[" * 5000, "{" * 5000, "\x00", "A", "e30", "=" * 9])
def test_a_token_of_nonsense_says_nothing(body: str) -> None:
    encoded = base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")
    for part in (body, encoded, encoded * 100):
        assert of(f"a.{part}.b").expires_at is None


def test_where_a_token_comes_from_is_the_key_that_wins(tmp_path: Any) -> None:  # noqa: ANN401 - pytest's path
    every: dict[str, Any] = {
        "token_file": tmp_path / "token",
        "token_keyring": "gunbot-mcp/gunbot",
        "token": "t",
        "password": "p",
        "wallet": "w",
    }
    found: list[str] = []
    for name in list(every):
        found.append(credential(Instance.model_validate({"url": "https://host", **every}), "").source)
        del every[name]
    assert found == ["token_file", "token_keyring", "token", "password", "none"]


@pytest.mark.anyio
async def test_a_refused_token_that_has_expired_is_told_so_without_the_token(recorder: "Recorder") -> None:
    recorder.on("/time", recorder.json(NO, 401))
    token = web_token({"exp": 1_700_000_000})
    async with Gunbot(Instance.model_validate({"url": recorder.url, "token": token})) as gunbot:
        with pytest.raises(Unauthorized) as caught:
            await gunbot.server_time()
    assert "by its own words it expired on 2023-11-14" in caught.value.message
    assert "copy a fresh token" in caught.value.hint
    assert "eyJ" not in str(caught.value)


@pytest.mark.anyio
async def test_the_token_that_a_login_gave_is_read_likewise() -> None:
    with recording() as served:
        served.on("/auth/login", served.json({"status": "success", "token": web_token({"exp": 1_900_000_000})}))
        facts = {"url": served.url, "password": "hunter2", "wallet": "0123456789abcdef"}
        async with Gunbot(Instance.model_validate(facts)) as gunbot:
            assert gunbot.credential == Credential(source="password")
            await gunbot.server_time()
            assert gunbot.credential.expires_at == datetime.fromtimestamp(1_900_000_000, UTC)
