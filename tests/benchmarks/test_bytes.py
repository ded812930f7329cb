import re
import subprocess
import sys
from pathlib import Path


def test_a_page_of_a_thousand_orders_takes_at_most_half_the_bytes_of_a_bare_servers_answer() -> None:
    command = [sys.executable, str(Path(__file__).with_name("run.py")), "--bytes"]
    table = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    row = re.search(r"answer of 1,000 +([\d,.]+) +([\d,.]+) bytes", table)
    assert row is not None
    ours, bare = (float(number.replace(",", "")) for number in row.groups())
    assert ours <= bare / 2
