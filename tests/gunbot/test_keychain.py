"""A token in the OS keyring: read when it is first needed, and every way in which that fails is a clear no."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from support.keyrings import FILE, Asking, InAFile, Locked, Strange, choose

from gunbot_mcp.config import Instance
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import GatewayUnreachable, Unauthorized
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.keychain import keep

if TYPE_CHECKING:
    from support.recorder import Recorder

pytestmark = pytest.mark.anyio
NAME = "gunbot-mcp/gunbot"
BUY = BY_NAME["buy_market"]
ORDER = BUY.args.model_validate({"exchange": "binance", "pair": "USDT-BTC", "amount": 1})


@pytest.fixture(autouse=True)
def own_keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[InAFile]:
    """A keyring of the test's own; the process gets back the one that it had."""
    monkeypatch.setenv(FILE, str(tmp_path / "keyring.json"))
    before = keyring.get_keyring()
    choose(made := InAFile())
    yield made
    choose(before)


def adapter(url: str, **fields: Any) -> Gunbot:  # noqa: ANN401 - any key of an instance
    return Gunbot(Instance.model_validate({"url": url, "token_keyring": NAME, **fields}))


async def test_the_token_comes_from_the_keyring_once_when_it_is_first_needed(
    recorder: "Recorder", own_keyring: InAFile, token: str
) -> None:
    async with adapter(recorder.url) as gunbot:
        # Put in only now: making the adapter did not look.
        own_keyring.put(NAME, f' "{token}"\n')
        with pytest.raises(GatewayUnreachable):
            await gunbot.trade(BUY, ORDER)
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(gunbot.server_time)
        own_keyring.put(NAME, "another")
        assert await gunbot.trade(BUY, ORDER) == "Order sent"
        assert gunbot.credential.source == "token_keyring"
    sent = {request.headers["authorization"] for request in recorder.requests}
    assert sent == {f"Bearer {token}"}
    assert recorder.to("/auth/login") == []


async def test_a_token_that_gunbot_refuses_is_looked_up_again_once(recorder: "Recorder", own_keyring: InAFile) -> None:
    own_keyring.put(NAME, "old-token-1")
    no = recorder.json({"status": "error", "message": "Authentication required"}, 401)
    recorder.on("/time", no, recorder.json({"serverTime": 5}))
    recorder.when("/time", lambda: own_keyring.put(NAME, "new-token-2"))
    async with adapter(recorder.url) as gunbot:
        assert await gunbot.server_time() == 5
        recorder.on("/time", no)
        with pytest.raises(Unauthorized, match="does not accept the token") as caught:
            await gunbot.server_time()
    tokens = [request.headers["authorization"].removeprefix("Bearer ") for request in recorder.requests]
    assert tokens[:2] == ["old-token-1", "new-token-2"]
    assert len(tokens) == 4
    assert "copy a fresh token" in caught.value.hint


@pytest.mark.parametrize(
    ("backend", "what", "step"),
    [
        (InAFile(), f"has nothing under {NAME}", "keyring set SERVICE USER"),
        (Locked(), "cannot be read (KeyringLocked)", "token_file"),
        (NoKeyring(), "cannot be read (NoKeyringError)", "token_file"),
        (Strange(), "cannot be read (DBusErrorResponse)", "token_file"),
    ],
    ids=["empty", "locked", "none", "strange"],
)
async def test_a_keyring_that_gives_no_token_is_a_clear_no_and_nothing_is_sent(
    recorder: "Recorder", backend: KeyringBackend, what: str, step: str
) -> None:
    choose(backend)
    async with adapter(recorder.url) as gunbot:
        with pytest.raises(Unauthorized) as caught:
            await gunbot.server_time()
    assert (what in caught.value.message, step in caught.value.hint) == (True, True), str(caught.value)
    assert caught.value.delivered is False
    assert "eyJ" not in str(caught.value)
    assert recorder.requests == []


async def test_a_keyring_that_waits_for_a_human_holds_up_no_call_and_no_end(recorder: "Recorder") -> None:
    choose(Asking())
    fields = {"deadline": 0.2, "connect_timeout": 0.1, "read_timeout": 0.1}
    try:
        async with adapter(recorder.url, **fields) as gunbot:
            with pytest.raises(Unauthorized, match="did not answer in time"):
                await gunbot.server_time()
    finally:
        Asking.closed.set()
    assert recorder.requests == []


async def test_what_is_no_token_in_the_keyring_is_named_and_not_shown(
    recorder: "Recorder", own_keyring: InAFile
) -> None:
    own_keyring.put(NAME, "Bearer eyJhbGciOiJIUzI1NiJ9.x.y")
    async with adapter(recorder.url) as gunbot:
        with pytest.raises(Unauthorized, match="holds a whole header") as caught:
            await gunbot.server_time()
    assert "eyJ" not in str(caught.value)


async def test_a_token_file_wins_over_the_keyring(recorder: "Recorder", own_keyring: InAFile, tmp_path: Path) -> None:
    own_keyring.put(NAME, "of-the-keyring")
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("of-the-file", encoding="utf-8")
    async with adapter(recorder.url, token_file=file) as gunbot:
        await gunbot.server_time()
        recorder.on("/time", recorder.json({"status": "error", "message": "no"}, 401))
        with pytest.raises(Unauthorized):
            await gunbot.server_time()
    assert {request.headers["authorization"] for request in recorder.requests} == {"Bearer of-the-file"}


def test_a_keyring_that_fails_in_its_own_words_keeps_nothing() -> None:
    choose(Strange())
    assert not keep(NAME, "a-token")


NO_SUCH = """
import os
os.environ["PYTHON_KEYRING_BACKEND"] = "no.such.Backend"
from gunbot_mcp.gunbot.keychain import is_there, keep, token_in
from gunbot_mcp.errors import Unauthorized
assert not is_there() and not keep("a/b", "t")
try:
    token_in("a/b")
except Unauthorized as exc:
    print(exc)
"""


def test_a_backend_that_cannot_even_be_loaded_is_a_clear_no() -> None:
    done = subprocess.run([sys.executable, "-c", NO_SUCH], capture_output=True, text=True, check=True)
    assert "cannot be read (ModuleNotFoundError)" in done.stdout


WITHOUT = """
import sys
sys.modules["keyring"] = None  # as where the extra is not installed
import anyio
from gunbot_mcp.gunbot.keychain import ask, is_there, keep
from gunbot_mcp.errors import Unauthorized
assert not is_there() and not keep("a/b", "t")
try:
    anyio.run(ask, "a/b", 5)
except Unauthorized as exc:
    print(exc)
"""


def test_without_the_extra_its_name_is_in_the_hint() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert "gunbot-mcp[keyring]" in done.stdout


def test_a_server_that_starts_does_not_load_the_keyring() -> None:
    start = (
        "import sys\nfrom gunbot_mcp.config import load\nfrom gunbot_mcp.runtime import Runtime\n"
        "Runtime(load(instances={'a': {'url': 'https://host', 'token_keyring': 'a/b'}}))\n"
        "print('keyring' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
