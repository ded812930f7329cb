"""Parts of the tests that open a store, or fail to."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger.ledger import Ledger


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@contextmanager
def fails(words: str) -> Generator[None]:
    """The block fails as the contract says: a code, a message, a hint, and no secret anywhere in the traceback."""
    with pytest.raises(LedgerUnavailable) as raised:
        yield
    error = raised.value
    assert words in error.message
    assert error.code == "ledger_unavailable"
    assert error.hint
    assert_no_secret(error)


def assert_no_secret(error: BaseException | None) -> None:
    """Neither the error nor what caused it says the password, as it is or as a URL writes it."""
    while error is not None:
        for secret in ("hush-hush", "p@ss:w/rd", quote("p@ss:w/rd", safe="")):
            assert secret not in f"{error} {error!r} {getattr(error, 'hint', '')}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


async def note(ledger: Ledger) -> None:
    async with ledger.write() as write:
        await write.event("note", actor="test", detail={"text": "x" * 3000})
