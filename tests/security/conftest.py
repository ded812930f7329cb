"""What the hostile tests share: what was tried, and the settings of what stands behind."""

import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from security.hostile import WIDE, Tally
from support.recorder import TOKEN

from gunbot_mcp.config import Settings, load

if TYPE_CHECKING:
    from support.recorder import Recorder


@pytest.fixture
def tally(record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[Tally]:
    """Counts one test's calls, which the end of the run adds up, and hears every nonce that the server makes."""
    counted = Tally()
    make = secrets.token_urlsafe

    def heard(size: int | None = None) -> str:
        counted.nonces.append(make(size))
        return counted.nonces[-1]

    monkeypatch.setattr(secrets, "token_urlsafe", heard)
    yield counted
    record_property("hostile", [counted.calls, counted.unapproved])


@pytest.fixture
def behind(recorder: "Recorder") -> Callable[..., Settings]:
    """Make the settings of a live instance whose Gunbot is the recorder; its fields by keyword."""

    def make(**fields: object) -> Settings:
        instance = {"url": recorder.url, "token": TOKEN, "read_timeout": 60, "limits": WIDE, **fields}
        return load(instances={"gunbot": instance}, approval={"wait": 0})

    return make
