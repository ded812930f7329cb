"""A server over HTTP, in a child process."""

import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager


@contextmanager
def over_http(environment: Mapping[str, str]) -> Generator[tuple[str, "subprocess.Popen[str]"]]:
    """Serve on a free port, and yield the address and the process."""
    with subprocess.Popen(
        [sys.executable, "-m", "gunbot_mcp", "serve", "--http", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith("listening on http://127.0.0.1:"), line
            yield line.removeprefix("listening on ").strip(), process
        finally:
            process.kill()
