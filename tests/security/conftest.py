"""What the hostile tests share: one total of everything that was tried, told at the end of the run."""

import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from support.hostile import WIDE, Tally
from support.recorder import TOKEN
from support.tally import tell

from gunbot_mcp.config import Settings, load

if TYPE_CHECKING:
    from support.recorder import Recorder


@pytest.fixture(scope="session")
def total() -> Iterator[Tally]:
    counted = Tally()
    yield counted
    tell(f"hostile model: {counted.calls:,} calls, {counted.unapproved} orders without a human")


@pytest.fixture
def tally(total: Tally, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tally]:
    """Counts one test's calls, and hears every nonce that the server makes."""
    counted = Tally()
    make = secrets.token_urlsafe

    def heard(size: int | None = None) -> str:
        counted.nonces.append(make(size))
        return counted.nonces[-1]

    monkeypatch.setattr(secrets, "token_urlsafe", heard)
    yield counted
    total.calls += counted.calls
    total.unapproved += counted.unapproved


@pytest.fixture
def behind(recorder: "Recorder", monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Make the settings of a live instance whose Gunbot is the recorder; its fields by keyword."""
    # The guard looks for what was sent a few times; the recorder shows at once what it will ever show.
    monkeypatch.setattr("gunbot_mcp.guard.following.PAUSE", 0.001)

    def make(**fields: Any) -> Settings:  # noqa: ANN401 - any setting
        instance = {"url": recorder.url, "token": TOKEN, "read_timeout": 5, "limits": WIDE, **fields}
        return load(instances={"gunbot": instance}, approval={"wait": 0})

    return make
