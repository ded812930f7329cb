"""The ledger's tables, the same on SQLite and PostgreSQL.

Money is TEXT of plain digits, an instant TEXT of ISO-8601 in UTC with six decimals (so that text order is time order),
JSON is TEXT in canonical form: both stores keep every value byte for byte, and hashes over them agree.
"""

from sqlalchemy import CheckConstraint, Column, Double, ForeignKey, Index, Integer, MetaData, Table, Text

PRODUCT = "gunbot-mcp"
VERSION = 1
"""Version of these tables; another version is refused when a ledger is opened."""

metadata = MetaData()

chain = Table(
    "chain",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("product", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("hash", Text, nullable=False),
)
"""One row: the number and hash of the newest event. Whoever writes holds its lock."""

mandates = Table(
    "mandates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("instance", Text, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("pairs", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("max_order", Text, nullable=False),
    Column("max_total", Text, nullable=False),
    Column("spent", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("revoked_at", Text),
    Column("created_by", Text, nullable=False),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("instance", Text, nullable=False),
    Column("live", Integer, nullable=False),
    Column("tool", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("pair", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("notional", Text),
    Column("asset", Text),
    Column("quote", Text),
    Column("checks", Text, nullable=False),
    Column("warnings", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("repeat_of", Text),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("deadline", Double, nullable=False),
    Column("nonce_hash", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text),
    Column("owner", Text),
    Column("sent_at", Text),
    Column("closed_at", Text),
    Column("mandate", Text, ForeignKey("mandates.id")),
    Column("reason", Text),
    Column("outcome", Text),
    Column("observed", Text),
    Index("tickets_by_age", "instance", "created_at"),
    Index("tickets_by_send", "instance", "sent_at"),
    Index("tickets_by_state", "state"),
    Index("tickets_by_fingerprint", "instance", "fingerprint"),
)

# No foreign key to tickets: a record of what happened is never refused.
events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("instance", Text),
    Column("ticket", Text),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("prev", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("events_by_ticket", "ticket"),
    Index("events_by_kind", "kind", "at"),
)
"""Append-only. Each row's hash covers the row and the hash before it."""
