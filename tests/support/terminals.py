"""A command at a terminal of its own, as a human would type it."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Sequence

OURS = (sys.executable, "-m", "gunbot_mcp")


class Terminal:
    """A child with a terminal of its own; what is typed goes in when its prompt has appeared."""

    def __init__(self, *arguments: str, program: Sequence[str] = OURS) -> None:
        self._screen, inner = pty.openpty()
        command = [*program, *arguments]
        self._child = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
        os.close(inner)
        self.shown = ""

    def answer(self, prompt: str, typed: str) -> None:
        self._read_until(prompt)
        os.write(self._screen, typed.encode() + b"\n")
        self.shown += "\n"

    def end(self) -> int:
        self._read_until(None)
        os.close(self._screen)
        return self._child.wait(60)

    def _read_until(self, text: str | None) -> None:
        seen = ""
        while text is None or text not in seen:
            ready, _, _ = select.select([self._screen], [], [], 60)
            assert ready, f"waited for {text!r}, saw {self.shown + seen!r}"
            try:
                chunk = os.read(self._screen, 4096).decode(errors="replace")
            except OSError:  # the child has gone, and its terminal with it
                chunk = ""
            if not chunk:
                assert text is None, f"ended before {text!r}: {self.shown + seen!r}"
                break
            seen += chunk
        self.shown += seen
