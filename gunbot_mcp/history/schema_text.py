"""What `query_orders` can be asked: the columns in few bytes for errors, and the whole as a text for models."""

from collections.abc import Mapping

from gunbot_mcp.history.reader import FILL_COLUMNS
from gunbot_mcp.history.record import COLUMNS

SCHEMA_URI = "gunbot://history/schema"
COLUMNS_HINT = f"orders has {', '.join(COLUMNS)}; fills_by_ticket has {', '.join(FILL_COLUMNS)}"

ABOUT_ORDERS: Mapping[str, str] = {
    "key": "exchange/pair as asked, e.g. binance/USDT-BTC",
    "exchange": "",
    "pair": "paying asset first: USDT-BTC",
    "paying": "the asset of price, cost, fees and pnl; null where the pair's name does not tell",
    "traded": "the asset of amount; null where the pair's name does not tell",
    "hedge": "LONG, SHORT or null",
    "id": "Gunbot's id of the record",
    "time_ms": "milliseconds since 1970",
    "time": "the same instant; dates and date_trunc follow the argument timezone",
    "side": "buy, sell or null",
    "price": "in the paying asset, for one of the traded",
    "amount": "",
    "cost": "price * amount where Gunbot gave none and that is exact",
    "fees": "",
    "pnl": "as Gunbot recorded it",
    "cost_given": "whether cost is Gunbot's own",
    "closes": "whether the record closes a position: one closing record is one trade",
    "extra": "all other fields as Gunbot wrote them, e.g. extra->>'ABP'",
    "fetched_ms": "when the mirror fetched it",
}
ABOUT_FILLS: Mapping[str, str] = {
    "key": "",
    "id": "together with key: the order in `orders`",
    "ticket": "the ticket's id",
    "client": "who proposed it",
    "approved_by": "",
    "approved_at": "",
    "summary": "the order in words",
}

EXAMPLES: Mapping[str, str] = {
    "What each pair made in each month": """\
SELECT pair, date_trunc('month', time)::DATE AS month, count(*) AS trades, sum(pnl) AS pnl, sum(fees) AS fees
FROM orders WHERE closes GROUP BY ALL ORDER BY month, pnl DESC""",
    "What was ordered through this server, who approved it, and what it made": """\
SELECT f.ticket, f.approved_by, f.summary, o.time, o.price, o.amount, o.pnl
FROM fills_by_ticket f JOIN orders o USING (key, id) ORDER BY o.time DESC LIMIT 20""",
}

_RULES = """\
- Never add up different paying assets: GROUP BY paying, or ask about keys that share one.
- sum, min and max of DECIMAL columns are exact. avg and / are DOUBLE, a product of two such columns may overflow: \
sum first, then divide.
- Numbers in `extra` are text with `->>`: cast them, (extra->>'ABP')::DECIMAL(38,18).
- The order of records at one time: ORDER BY time_ms, closes, key, id.
- Allowed are WITH (recursive too), joins, window functions, PIVOT with its values listed, DESCRIBE and SUMMARIZE; the \
table functions range, generate_series, unnest, json_each. No other table, file, setting or statement.
- A query has 10 s and 1.5 GB. Its answer is cut at 24 kB, with max_rows at 200 kB."""


def schema_text() -> str:
    """Return the resource `gunbot://history/schema`: tables, columns, rules, two examples. Markdown."""
    parts = [
        "# query_orders: what can be asked\n\nOne SELECT (or WITH … SELECT) in DuckDB's dialect, read only.",
        _table("orders", "one row for each record that Gunbot stored of the asked keys", COLUMNS, ABOUT_ORDERS),
        _table("fills_by_ticket", "one row for each that came from a ticket here", FILL_COLUMNS, ABOUT_FILLS),
        f"## Rules\n\n{_RULES}",
        *(f"## {title}\n\n```sql\n{sql}\n```" for title, sql in EXAMPLES.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _table(name: str, says: str, kinds: Mapping[str, str], about: Mapping[str, str]) -> str:
    columns = [
        f"- `{column}` {kind}" + (f": {about[column]}" if about[column] else "") for column, kind in kinds.items()
    ]
    return "\n".join([f"## {name}: {says}", "", *columns])
