"""Which tables are there: none, this version's, an earlier one's, or somebody else's. The version is read first."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, Inspector, Integer, Text, column, func, inspect, select, table

from gunbot_mcp.errors import LedgerUnavailable
from gunbot_mcp.ledger import version_1
from gunbot_mcp.ledger.tables import PRODUCT, VERSION, events, metadata

_Columns = Mapping[str, Collection[str]]
_TABLES: Mapping[int, _Columns] = {
    1: version_1.TABLES,
    VERSION: {one.name: frozenset(one.columns.keys()) for one in metadata.tables.values()},
}
_HEADS = {"chain": 1, "head": VERSION}
"""The names that the table with the version has had, each with the version that uses it."""


def find(connection: Connection, *, alone: bool) -> int | None:
    """Return the version of the tables that are there, or None: there are none. `alone`: nothing else may be there.

    Raises:
        LedgerUnavailable: another program's tables, a newer version's, or tables that no version has.
    """
    inspector = inspect(connection)
    names = set(inspector.get_table_names())
    heads = names & set(_HEADS)
    everything = {name for tables in _TABLES.values() for name in tables}
    if not heads:
        if names & everything or (alone and names):
            raise _foreign("the database holds other tables than a ledger's")
        return None
    if len(heads) > 1:
        raise _foreign("the database holds a ledger's tables of two versions")
    (name,) = heads
    version = _version(connection, name, _columns(inspector, name))
    expected = _TABLES[version]
    found = {name: _columns(inspector, name) for name in names & set(expected)}
    if found != expected or names & (everything - set(expected)):
        raise _foreign("the database holds other tables than a ledger's")
    return version


def first_event(connection: Connection) -> int:
    """Return the number of the first event that this version's tables kept; every event before it is version 1's."""
    return connection.execute(select(func.min(events.c.seq)).where(events.c.kind == "migrated")).scalar_one() or 0


def newer(version: object) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"the ledger has version {version} of its tables, this program knows {VERSION}",
        "use the gunbot-mcp release that made it, or a newer one",
    )


def _columns(inspector: Inspector, name: str) -> set[str]:
    return {found["name"] for found in inspector.get_columns(name)}


def _version(connection: Connection, name: str, columns: set[str]) -> int:
    if not {"product", "version"} <= columns:
        raise _foreign("the database's tables are not a ledger's")
    said = select(column("product", Text), column("version", Integer)).select_from(table(name))
    made_by = connection.execute(said).all()
    if len(made_by) != 1 or made_by[0].product != PRODUCT:
        raise _foreign("the database's tables are not a ledger's")
    version = made_by[0].version
    if version not in _TABLES:
        raise newer(version)
    if version != _HEADS[name]:
        raise _foreign("the database holds a ledger's tables that are half of one version")
    return version


def _foreign(message: str) -> LedgerUnavailable:
    return LedgerUnavailable(message, "give the ledger a file or database of its own; nothing was changed")
