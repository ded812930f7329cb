"""How far one key is read: a list that never ends must not be read for ever, nor fill the disk.

Where Gunbot says how long its list is, and the list keeps to it, that is the bound. These numbers are for all else: a
list without an end, without a length, or with one that nobody can have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gunbot_mcp.history.store import KeyFiles


class Endless(Exception):
    """Gunbot's list of a key does not end where it may; what was read so far is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The most of one key: `records` and `files` that count, `size` in bytes with what lies aside, `pages` a sync.

    An order a minute, day and night, makes 2,000,000 records in four years, of about 100 MB in 100 files.
    """

    records: int = 2_000_000
    size: int = 1_000_000_000
    files: int = 5_000
    pages: int = 40_000

    def beyond(self, files: KeyFiles) -> Bounds:
        """Return the bounds of somebody who asked for it all once more, beside what is there."""
        manifest = files.manifest
        return Bounds(
            records=self.records + manifest.records,
            size=self.size + manifest.size + files.aside(),
            files=self.files + len(manifest.files),
            pages=self.pages,
        )

    def require(self, files: KeyFiles, *, at: int, pages: int) -> None:
        """Stop before the page at position `at` of a sync that has read so many `pages`.

        Raises:
            Endless: one of the bounds is reached.
        """
        manifest = files.manifest
        if (
            max(at, manifest.records) >= self.records
            or pages >= self.pages
            or len(manifest.files) >= self.files
            or (pages and manifest.size + files.aside() >= self.size)  # a quiet key needs no look at what lies aside
        ):
            raise Endless
