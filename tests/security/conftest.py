"""What the hostile tests share: one total of everything that was tried, told at the end of the run."""

import secrets
from collections.abc import Iterator

import pytest
from support.hostile import Tally
from support.tally import tell


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
