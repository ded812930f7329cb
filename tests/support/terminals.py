"""A command at a terminal of its own, as a human would type it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence

import click

OURS = (sys.executable, "-m", "gunbot_mcp")


class Terminal:
    """A child with a terminal of its own; what is typed goes in when its prompt has appeared.

    `columns` is how wide it is; 0 does not say.
    """

    def __init__(self, *arguments: str, columns: int = 0, program: Sequence[str] = OURS) -> None:
        self._screen, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
        command = [*program, *arguments]
        # The terminal says how wide it is, and not the one that runs the tests.
        given = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self._child = subprocess.Popen(
            command, stdin=inner, stdout=inner, stderr=inner, start_new_session=True, env=given
        )
        os.close(inner)
        self.shown = ""

    @property
    def words(self) -> str:
        """What was shown, wherever its lines end."""
        return " ".join(self.shown.split())

    @property
    def lines(self) -> list[str]:
        """What was shown, line by line, without colours."""
        return [click.unstyle(line) for line in self.shown.splitlines()]

    def answer(self, prompt: str, typed: str) -> None:
        self._read_until(prompt)
        os.write(self._screen, typed.encode() + b"\n")
        self.shown += "\n"

    def interrupt(self, prompt: str) -> None:
        """Do what Ctrl-C does, when the prompt has appeared."""
        self._read_until(prompt)
        self._child.send_signal(signal.SIGINT)

    def wait_for(self, text: str) -> str:
        """Read until this was shown, and return all that was shown so far."""
        if text not in self.shown:
            self._read_until(text)
        return self.shown

    def signal(self, number: signal.Signals) -> None:
        """Send it to the child and to its own children, as a terminal does with a Ctrl-C."""
        os.killpg(self._child.pid, number)

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
