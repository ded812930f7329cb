"""Virtual time, and SQLite without its driver's thread: thousands of schedules a minute, each the same on every run."""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any

import anyio.to_thread
import pytest


class _Selector(selectors.BaseSelector):
    """Never waits: when nothing is ready, time jumps to the next timer."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401 - the base's signature
        key = selectors.SelectorKey(fileobj, int(fileobj), events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: object) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits, and nothing will ever wake one")
        if timeout > 0:
            self.now += timeout
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run what the code gives to worker threads in the event loop's own thread."""

    async def run_sync(function: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401 - passed on
        return function(*args)

    monkeypatch.setattr(anyio.to_thread, "run_sync", run_sync)
