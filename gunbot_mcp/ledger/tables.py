"""The ledger's tables, the same on SQLite and PostgreSQL.

Money is TEXT of plain digits, an instant TEXT of ISO-8601 in UTC with six decimals (so that text order is time order),
JSON is TEXT in canonical form: both stores keep every value byte for byte, and hashes over them agree.

`events` is the record. `tickets` and `mandates` are what the events add up to, kept so that they can be asked quickly:
`content` as in the event that made it, columns that are read out of it (`rows.project`), and what became of it.
"""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy import text as sql

PRODUCT = "gunbot-mcp"
VERSION = 2
"""Version of these tables; every write reads it, and refuses another one."""

metadata = MetaData()

head = Table(
    "head",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("product", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("hash", Text, nullable=False),
)
"""One row: the number and hash of the newest event. Every writer holds its lock.

Version 1 called it `chain`: a server of release 0.1 that is still running no longer finds it, and fails.
"""

mandates = Table(
    "mandates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("instance", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("spent", Text, nullable=False),
    Column("revoked_at", Text),
    Index("mandates_by_end", "instance", "expires_at"),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("instance", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("pair", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("notional", Text),
    Column("asset", Text),
    Column("fingerprint", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("decided_by", Text),
    Column("owner", Text),
    Column("sent_at", Text),
    Column("closed_at", Text),
    Column("mandate", Text, ForeignKey("mandates.id")),
    Column("reason", Text),
    Column("answer", Text),
    Column("baseline", Text),
    Column("observed", Text),
    # One index for each question that an order asks; `rows.py` has the questions.
    Index("tickets_by_age", "instance", "created_at", "id"),
    Index("tickets_by_state", "state", "instance", "created_at", "id"),
    Index("tickets_by_fingerprint", "instance", "fingerprint", "created_at", "id"),
)
_UNKNOWN = sql("state = 'unknown'")
_SENT = sql("sent_at IS NOT NULL")
_UNSEEN = sql("observed IS NULL AND sent_at IS NOT NULL")
Index(
    "tickets_by_lock",
    *(tickets.c[name] for name in ("instance", "exchange", "pair", "side", "created_at", "id")),
    sqlite_where=_UNKNOWN,
    postgresql_where=_UNKNOWN,
)
Index("tickets_by_send", tickets.c.instance, tickets.c.sent_at, sqlite_where=_SENT, postgresql_where=_SENT)
Index(
    "tickets_by_pair",
    *(tickets.c[name] for name in ("instance", "exchange", "pair", "sent_at")),
    sqlite_where=_SENT,
    postgresql_where=_SENT,
)
Index(
    "tickets_unseen",
    *(tickets.c[name] for name in ("instance", "exchange", "pair", "sent_at")),
    sqlite_where=_UNSEEN,
    postgresql_where=_UNSEEN,
)

sightings = Table(
    "sightings",
    metadata,
    Column("instance", Text, primary_key=True),
    Column("exchange", Text, primary_key=True),
    Column("pair", Text, primary_key=True),
    Column("order_id", Text, primary_key=True),
    Column("ticket", Text, ForeignKey("tickets.id"), primary_key=True),
    Index("sightings_by_ticket", "ticket"),
)
"""Which order at the exchange belongs to which ticket: a copy from the observations, for fast queries."""

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
    Index("events_by_ticket", "ticket", "seq"),
    Index("events_by_kind", "kind", "at"),
)
"""Append-only. Each row's hash covers the row and the hash before it."""

credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", Integer, nullable=False),
    Column("origin", Text, nullable=False),
    Column("rp", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("registered_at", Text, nullable=False),
    Column("registered_by", Text, nullable=False),
    Column("registration", Text, nullable=False),
    Column("revoked_at", Text),
)
"""Passkeys: the key, the address that it belongs to, and what the authenticator said when it was registered (JSON)."""

halts = Table(
    "halts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("instance", Text),
    Column("at", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("lifted_at", Text),
    Column("lifted_by", Text),
    Index("halts_by_end", "lifted_at"),
)
"""Halts that replicas on several machines share; `instance` NULL: of all."""

notices = Table(
    "notices",
    metadata,
    Column("ticket", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("claimed_by", Text, nullable=False),
    Column("at", Text, nullable=False),
)
"""A notice about a ticket is given once: by the process that claimed it here."""

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("instance", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", Text, nullable=False),
)
"""Work that one process at a time does for an instance."""
