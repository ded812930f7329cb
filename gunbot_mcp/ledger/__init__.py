"""The durable record: every step of every ticket, append-only and hash-chained, on SQLite or PostgreSQL."""
