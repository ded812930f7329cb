"""A canned gateway for the benchmark: `GET /api/v1/orders/page` over real HTTP, its answers made before the first call.

`python gateway.py` prints its address and serves until it is ended. The records are ours, made by the formulas of
Gunbot's own samples (`cost = rate * amount`, a fee of 0.1 %, `toCancel` on buys only), the same in every run.
"""

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.plain_http import MISSING, json_answer, serve

TOTAL = 5000
FEE = 0.001


def records(count: int) -> list[dict[str, Any]]:
    """Return `count` order records, newest first, with the digits that doubles have in Gunbot's answers."""
    chance = random.Random(20241114)
    made: list[dict[str, Any]] = []
    time, rate, balance, cash = 1_731_617_894_238, 87_740.105, 0.5, 5199.37490001808
    for _ in range(count):
        side = chance.choice(("buy", "sell"))
        amount = chance.uniform(0.0004, 0.0009)
        cost = rate * amount
        fees = cost * FEE
        value = cost + fees if side == "buy" else cost - fees
        record: dict[str, Any] = {
            "time": time,
            "pair": "USDT-BTC",
            "type": side,
            "rate": rate,
            "amount": amount,
            "id": chance.randrange(100_000, 999_999),
            "cost": cost,
        }
        if side == "buy":
            record["toCancel"] = True
        record |= {
            "fees": fees,
            "baseValue": value,
            "costProceed": -value if side == "buy" else value,
            "averagePrice": rate * (1 + FEE),
            "pnlPrice": rate * chance.uniform(0.69, 0.72),
            "balance": balance,
            "baseBalance": cash,
            "inventory_cost": rate * chance.uniform(0.99, 1.02),
            "ABP": rate * chance.uniform(0.99, 1.03),
            "pnl": 0 if side == "buy" else cost * chance.uniform(-0.01, 0.02),
        }
        made.append(record)
        time -= chance.randrange(60_000, 3_600_000)
        rate = round(rate * chance.uniform(0.995, 1.005), 3)
        balance += -amount if side == "buy" else amount
        cash += cost if side == "buy" else -cost
    return made


def response(size: int) -> bytes:
    """Return the whole HTTP answer with a page of `size` records."""
    return json_answer(json.dumps({"total": TOTAL, "page": 0, "data": records(size)}, separators=(",", ":")).encode())


def main() -> None:
    pages = {size: response(size) for size in (10, 1000)}

    def answer(target: str) -> bytes:
        asked = urlsplit(target)
        size = int(parse_qs(asked.query).get("pageSize", ["0"])[0])
        return pages.get(size, MISSING) if asked.path == "/api/v1/orders/page" else MISSING

    asyncio.run(serve(answer))


if __name__ == "__main__":
    main()
