"""A token in the keyring of the operating system (the extra `keyring`): asked when it is first needed.

A keyring may show a dialogue and wait for a human, so it is asked in a thread that nobody has to wait for.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio

from gunbot_mcp.errors import ConfigInvalid, Unauthorized, clean
from gunbot_mcp.tokens import plain_token

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_T = TypeVar("_T")
logger = logging.getLogger(__name__)

PUT_IN = "put it there with: keyring set SERVICE USER"
EXTRA = "install it with pip install 'gunbot-mcp[keyring]', or use token_file"
_ASIDE = "unlock it, or use token_file"


class _Keyring(Protocol):
    """What is asked of the package."""

    def get_keyring(self) -> "KeyringBackend": ...

    def get_password(self, service: str, username: str, /) -> str | None: ...

    def set_password(self, service: str, username: str, password: str, /) -> None: ...


async def ask(name: str, within: float) -> str:
    """Return the token that the keyring holds under `SERVICE/USER`, waiting at most `within` seconds.

    Raises:
        Unauthorized: there is none, or the keyring does not answer; nothing was sent to Gunbot.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[str | Unauthorized] = loop.create_future()

    def settle(answer: str | Unauthorized) -> None:
        if not found.done():
            found.set_result(answer)

    def look() -> None:
        answer: str | Unauthorized
        try:
            answer = token_in(name)
        except Unauthorized as exc:
            answer = exc
        try:
            loop.call_soon_threadsafe(settle, answer)
        except RuntimeError:  # nobody waits any more, and the loop is closed
            logger.debug("the keyring answered when nobody waited any more")

    # Not one of anyio's threads: the program's end would wait for these.
    threading.Thread(target=look, daemon=True, name="keyring").start()
    with anyio.move_on_after(max(within, 0)):
        answer = await found
        if isinstance(answer, str):
            return answer
        raise answer
    raise _no("the OS keyring did not answer in time", "it may wait for its password: " + _ASIDE)


def token_in(name: str) -> str:
    """Return the token that the keyring holds under `SERVICE/USER`. Blocks.

    Raises:
        Unauthorized: there is none, or it cannot be read; says why, and nothing of what is there.
    """
    service, _, user = name.partition("/")
    found = _ask(lambda keyring: keyring.get_password(service, user))
    if not found:
        raise _no(f"the OS keyring has nothing under {clean(name, 80)}", PUT_IN)
    try:
        return plain_token(found, f"what the OS keyring has under {clean(name, 80)}")
    except ConfigInvalid as exc:
        raise _no(exc.message, exc.hint) from None


def keep(name: str, token: str) -> bool:
    """Put a token into the keyring under `SERVICE/USER`, where nothing else is; return whether it is there now."""
    service, _, user = name.partition("/")

    def put(keyring: _Keyring) -> bool:
        if keyring.get_password(service, user) is None:
            keyring.set_password(service, user, token)
        return keyring.get_password(service, user) == token

    try:
        return _ask(put)
    except Unauthorized:
        return False


def is_there() -> bool:
    """Return whether there is a keyring that keeps things: the package, and something of the system's behind it."""
    try:
        return _ask(lambda keyring: keyring.get_keyring().priority > 0)
    except Unauthorized:
        return False


def _ask(question: Callable[[_Keyring], _T]) -> _T:
    """Ask the system's keyring.

    Raises:
        Unauthorized: there is none, or it cannot be asked.
    """
    try:
        import keyring
    except ImportError:
        raise _no("token_keyring needs the package keyring, which is not installed", EXTRA) from None
    try:
        return question(keyring)
    except Exception as exc:  # noqa: BLE001 - backends let through what D-Bus, macOS and Windows raise, which share no other base
        raise _no(f"the OS keyring cannot be read ({type(exc).__name__})", _ASIDE) from None


def _no(message: str, hint: str) -> Unauthorized:
    return Unauthorized(message, hint, delivered=False)
