"""What of a mirror can go without anything that counts being lost: files set aside, and mirrors of other Gunbots."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from gunbot_mcp.history.engine import unwritable
from gunbot_mcp.history.matched import MATCHED
from gunbot_mcp.history.mirror import Home
from gunbot_mcp.history.reader import quoted
from gunbot_mcp.history.store import ASIDE


@dataclass(frozen=True, slots=True)
class Leftover:
    """A folder that can go: `what` it is, in words, and its bytes."""

    what: str
    path: Path
    size: int


def leftovers(home: Home) -> list[Leftover]:
    """Return what of the instance's folder does not count."""
    found: list[Leftover] = []
    aside = home.path / ASIDE
    if aside.is_dir():
        found.append(Leftover("set aside: damaged files, records that Gunbot removed", aside, size_of(aside)))
    lots = home.path / MATCHED
    if lots.is_dir():
        found.append(Leftover("matched lots: made again when a question needs them", lots, size_of(lots)))
    others = home.of_instance.iterdir() if home.of_instance.is_dir() else ()
    found += [
        Leftover(f"the mirror of another Gunbot ({_whose(folder)})", folder, size_of(folder))
        for folder in sorted(others)
        if folder.is_dir() and folder != home.path
    ]
    return found


def unreadable_lots(home: Home) -> int:
    """Remove files of matched lots that cannot be read, and return how many: they are made again when needed."""
    import duckdb

    bad = 0
    for file in sorted((home.path / MATCHED).glob("*.parquet")):
        try:
            with duckdb.connect(":memory:") as connection:
                connection.execute(f"SELECT max(COLUMNS(*)) FROM read_parquet({quoted(str(file))})").fetchall()  # noqa: S608 - a quoted path from this package
        except duckdb.Error:
            bad += 1
            file.unlink(missing_ok=True)
    return bad


def remove(path: Path) -> None:
    """Remove a folder.

    Raises:
        HistoryUnavailable: some of it cannot be removed.
    """
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise unwritable(exc) from exc


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _whose(folder: Path) -> str:
    try:
        facts = json.loads((folder / "mirror.json").read_text(encoding="utf-8"))
        return str(facts["url"]) or "the embedded paper gateway"
    except (OSError, ValueError, KeyError, TypeError):
        return folder.name
