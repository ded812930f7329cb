"""The paper gateway's own cost as it grows: `paper_growth.py` prints that by itself."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.session import HERE
from benchmarks.table import Lines


def measure() -> Iterator[Lines]:
    program = HERE / "paper_growth.py"
    if program.exists():
        yield subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True).stdout.strip()
