"""A Ctrl-C while something is loaded is neither lost nor turned into another error."""

import signal
import threading
from types import FrameType

import pytest

from gunbot_mcp.cli.interrupts import held_back


def _load(done: list[str], *, signals: int = 1, error: type[Exception] | None = None) -> None:
    with held_back():
        for _ in range(signals):
            signal.raise_signal(signal.SIGINT)
        if error is not None:
            raise error
        done.append("loaded")


def test_it_is_raised_when_the_loading_is_done() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _load(done)

    assert done == ["loaded"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_one_does_not_wait() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _load(done, signals=2)

    assert done == []


def test_an_error_of_the_loading_is_raised_as_it_is() -> None:
    with pytest.raises(ImportError):
        _load([], error=ImportError)


def test_whoever_hears_signals_already_goes_on_hearing_them() -> None:
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        del frame
        heard.append(number)

    before = signal.signal(signal.SIGINT, hear)
    try:
        with held_back():
            signal.raise_signal(signal.SIGINT)
            assert heard == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_hear_no_signals_and_only_load() -> None:
    done: list[str] = []
    thread = threading.Thread(target=_load, args=(done,), kwargs={"signals": 0})
    thread.start()
    thread.join()

    assert done == ["loaded"]
