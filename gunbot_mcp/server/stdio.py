"""Serving over stdin and stdout: stdout belongs to the protocol, logs go to stderr."""

import io
import os
import select
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus
from mcp.server.stdio import stdio_server

from gunbot_mcp.config import Settings
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import approval_page, build_server

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer


async def serve_stdio(settings: Settings, early: Sequence[int] = ()) -> int | None:
    """Serve until the client closes stdin, or until SIGINT or SIGTERM arrives; return that signal's number.

    Either way an order that is on its way is waited for, and its outcome recorded. A second signal does not wait.
    `early` has a signal that was noted before this hears any.
    """
    caught: list[int] = []
    async with Runtime(settings, page=approval_page, follows=True) as runtime, anyio.create_task_group() as tasks:
        server = build_server(runtime)
        with _protocol_input() as (source, stop), _protocol_output() as output:
            # Heard before anything is read: who waits for stdin hears no cancellation.
            await tasks.start(_end_on_signal, stop, caught, early)
            stdin = None if source is None else anyio.wrap_file(source)
            async with stdio_server(stdin=stdin, stdout=anyio.wrap_file(output)) as (read_stream, write_stream):
                try:
                    await server.run(read_stream, write_stream, server.create_initialization_options())
                finally:
                    stop()
            tasks.cancel_scope.cancel()
    return caught[0] if caught else None


async def _end_on_signal(
    stop: Callable[[], None],
    caught: list[int],
    early: Sequence[int],
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    if sys.platform == "win32":  # its event loop hears no signals; Ctrl-C ends the process
        task_status.started()
        return
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        if early:
            caught.append(early[0])
            stop()
        task_status.started()
        async for number in signals:
            if caught:
                os._exit(128 + number)
            caught.append(number)
            stop()


class _Until(io.RawIOBase):
    """What comes from a descriptor until it ends or `bell` rings: a plain read could not be interrupted."""

    def __init__(self, source: int, bell: int) -> None:
        self._source = source
        self._bell = bell

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer).cast("B")
        ready, _, _ = select.select([self._source, self._bell], [], [])
        data = b"" if self._bell in ready else os.read(self._source, len(view))
        view[: len(data)] = data
        return len(data)


@contextmanager
def _protocol_input() -> Generator[tuple[io.TextIOWrapper | None, Callable[[], None]]]:
    """Give stdin to the protocol alone, and a way to end it; None where this system cannot wait for two things."""
    if sys.platform == "win32":  # select waits for sockets only there
        yield None, lambda: None
        return
    wire, (bell, rope) = os.dup(0), os.pipe()
    ropes = [rope]
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    raw = io.BufferedReader(_Until(wire, bell))
    try:
        yield io.TextIOWrapper(raw, "utf-8", errors="replace"), lambda: os.close(ropes.pop()) if ropes else None
    finally:
        os.dup2(wire, 0)


@contextmanager
def _protocol_output() -> Generator[io.TextIOWrapper]:
    """Give stdout to the protocol alone; whatever else is printed meanwhile goes to stderr.

    The SDK would divert it too, but write through a buffer of 8 KiB, so that a shorter answer waits for one more
    round through a worker thread, its flush. Here it is sent as soon as it is written.
    """
    wire = os.dup(1)
    elsewhere = os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else os.dup(2)
    os.dup2(elsewhere, 1)
    os.close(elsewhere)
    try:
        # A worker thread may still be writing when the server ends, so the descriptor is never closed under it.
        raw = io.FileIO(wire, "wb", closefd=False)
        yield io.TextIOWrapper(io.BufferedWriter(raw, buffer_size=1), "utf-8", newline="\n", write_through=True)
    finally:
        os.dup2(wire, 1)
