"""Ctrl-C while something is loaded or starts.

Python raises KeyboardInterrupt wherever it is. In the middle of an import some libraries lose it (pydantic's core says
"Exception ignored" and goes on), and the command would run on; others turn it into an error of their own.
"""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_back() -> Generator[list[int]]:
    """Hold a Ctrl-C back until this ends; then it is raised. A second one is raised at once.

    Gives the list that notes the first one, for whoever can end sooner.
    """
    noted: list[int] = []
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        noted.append(number)
        if len(noted) > 1:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if noted:
        raise KeyboardInterrupt
