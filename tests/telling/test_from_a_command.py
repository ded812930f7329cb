"""The whole way, as a client that starts a process for each call has it: the process is gone before a human looks."""

import json
import subprocess
import time
from pathlib import Path

from telling.services import service


def test_a_process_that_answers_one_call_and_ends_has_told_the_human(
    command: list[str], child_environment: dict[str, str], tmp_path: Path
) -> None:
    order = json.dumps({"exchange": "binance", "pair": "USDT-BTC", "amount": 0.001, "price": 50000})
    with service() as (port, heard):
        config = tmp_path / "config.toml"
        config.write_text(f'[approval]\nnotify = ["json://127.0.0.1:{port}/hush-hush-topic"]\n', encoding="utf-8")
        begun = time.monotonic()
        done = subprocess.run(
            [*command, "call", "buy_limit", order],
            capture_output=True,
            text=True,
            env={**child_environment, "GUNBOT_MCP_CONFIG": str(config)},
            check=False,
        )
        print(f"told within {time.monotonic() - begun:.1f} s, the start of two programs included")

    assert json.loads(done.stdout)["status"] == "awaiting_approval"
    assert [one["message"].split("\n")[0] for one in heard] == ["An order waits (PAPER)"]
    assert "hush-hush-topic" not in done.stdout + done.stderr
