"""A canned gateway for the benchmark: `GET /api/v1/orders/page` over real HTTP, its answers made before the first call.

`python gateway.py` prints its address and serves until it is ended. The records are ours, made by the formulas of
Gunbot's own samples (`cost = rate * amount`, a fee of 0.1 %, `toCancel` on buys only), the same in every run.
"""

import asyncio
import json
import random
from typing import Any
from urllib.parse import parse_qs, urlsplit

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
    body = json.dumps({"total": TOTAL, "page": 0, "data": records(size)}, separators=(",", ":")).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve() -> None:
    pages = {size: response(size) for size in (10, 1000)}
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                target = urlsplit(head.split(b" ", 2)[1].decode())
                size = int(parse_qs(target.query).get("pageSize", ["0"])[0])
                found = pages.get(size) if target.path == "/api/v1/orders/page" else None
                writer.write(found or missing)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
